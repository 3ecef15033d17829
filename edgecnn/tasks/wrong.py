"""Errors for what does not fit a task: a dataset for the model of another task, outputs that can't be those of the task."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.errors import InputError
from edgecnn.tasks.text import shape_text
from edgecnn.types import TensorSpec


class OutputsError(InputError):
    """The shapes of a model's outputs are never those of its task; another task may fit."""


def wrong_task(data: str, needed: str, model: str) -> InputError:
    """The error where a dataset of ``data`` is measured with a ``model`` that does not make what it ``needed``."""
    return InputError(f"a dataset of {data} needs {needed}, but the model is {model}", "name a dataset for the task of the model")


def wrong_outputs(task: str, expected: str, outputs: Sequence[TensorSpec]) -> OutputsError:
    """The error for outputs whose shapes are never those of ``task``."""
    shapes = ", ".join(f"{spec.name} {shape_text(spec.shape)}" for spec in outputs)
    return OutputsError(
        f"--task {task} needs {expected}, but the outputs of the model are {shapes or 'none'}",
        "give --task raw, which takes any outputs",
    )


def check_label_count(spec: TensorSpec, size: int, labels: Sequence[str], *, kind: str, names: str, fix: str) -> None:
    """Raise ``InputError`` unless there is one label for each of the ``size`` numbers of an output."""
    if size != len(labels):
        raise InputError(f"--labels: {len(labels)} {names} for {size} {kind} (output {spec.name} has shape {spec.shape})", fix)
