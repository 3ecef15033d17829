"""What the last layer of a classifier's network is for: scores of classes, or continuous values."""

from __future__ import annotations

from typing import Literal, get_args

from edgecnn.card import Task

Head = Literal["classify", "regress"]


def task_for(head: Head) -> Task:
    """The task of a network with this head; raises ``ValueError`` for an unknown one."""
    if head not in get_args(Head):
        raise ValueError(f"wanted a head of {', '.join(get_args(Head))}, found {head!r}")
    return head
