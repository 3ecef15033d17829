"""Output heads of classification networks: class scores, scores of independent labels, or continuous values."""

from __future__ import annotations

from typing import Literal, get_args

from edgecnn.task_names import TaskName

HeadKind = Literal["classify", "regress", "multilabel"]


def task_for(head: HeadKind) -> TaskName:
    """The task of a network with this head; raises ``ValueError`` for an unknown one."""
    if head not in get_args(HeadKind):
        raise ValueError(f"head must be one of {', '.join(get_args(HeadKind))}, not {head!r}")
    return head
