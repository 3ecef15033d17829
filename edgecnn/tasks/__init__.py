"""The tasks by name: what a model is for, and everything that depends on it.

A task is one module with one subclass of ``edgecnn.tasks.interface.Task``, and one line in ``TASKS``; CONTRIBUTING.md has the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import READ, ModelCard
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.preprocess import Geometry
from edgecnn.task_names import TaskName
from edgecnn.tasks.classify import Classify
from edgecnn.tasks.detect import Detect
from edgecnn.tasks.embed import Embed
from edgecnn.tasks.interface import Task
from edgecnn.tasks.multilabel import MultiLabel
from edgecnn.tasks.pose import Pose
from edgecnn.tasks.raw import Raw
from edgecnn.tasks.regress import Regress
from edgecnn.tasks.restore import Restore
from edgecnn.tasks.segment import Segment
from edgecnn.tasks.signal import Signal
from edgecnn.tasks.wrong import OutputsError
from edgecnn.types import Array, Prediction, Tensors, TensorSpec

if TYPE_CHECKING:
    from edgecnn.parity import Agreement, Tolerance

TASKS: dict[TaskName, Task[Any]] = {
    "classify": Classify(),
    "detect": Detect(),
    "regress": Regress(),
    "embed": Embed(),
    "restore": Restore(),
    "signal": Signal(),
    "multilabel": MultiLabel(),
    "raw": Raw(),
    "segment": Segment(),
    "pose": Pose(),
}
# reversed: of tasks with the same prediction the first one counts
_BY_PREDICTION: Mapping[type, Task[Any]] = {task.prediction: task for task in reversed(TASKS.values())}
_BY_DECODER: Mapping[str, Task[Any]] = {decoder: task for task in reversed(TASKS.values()) for decoder in task.decoders}


def find(name: str) -> Task[Any]:
    """The task called ``name``; raises ``InputError`` that lists all tasks for an unknown name."""
    if name not in TASKS:
        raise InputError(f"there is no task {name!r}", f"--task takes one of {', '.join(TASKS)}")
    return TASKS[name]


def for_prediction(prediction: Prediction) -> Task[Any]:
    """The task that a prediction belongs to."""
    return _BY_PREDICTION[type(prediction)]


def compare(expected: Prediction, got: Prediction, tolerance: Tolerance) -> Agreement:
    """Compare two predictions for one image; raises ``ValueError`` where their types differ, for example boxes and a label."""
    if type(expected) is not type(got):
        raise ValueError(f"can't compare {type(expected).__name__} with {type(got).__name__}")
    return for_prediction(expected).compare(expected, got, tolerance)


def to_source(prediction: Prediction, place: Geometry) -> Prediction:
    """A prediction from model-input pixels to pixels of the source; unchanged where it has no places."""
    moved: Prediction = for_prediction(prediction).to_source(prediction, place)
    return moved


def in_order(outputs: Tensors, card: ModelCard, expected: Prediction | None, place: Geometry | None, iou: float) -> Tensors:
    """``outputs`` with rows in the order of ``expected`` where they have no fixed one, see ``Task.in_order``."""
    if expected is None:
        return outputs
    try:
        ordered: Tensors = for_prediction(expected).in_order(outputs, card, expected, place, iou)
    except EdgeCnnError:  # outputs that can't be decoded have no rows
        return outputs
    return ordered


def filled(ordered: Tensors, expected: Tensors) -> dict[str, Array]:
    """Outputs of ``in_order``, with the expected value where there is nothing to compare."""
    return {name: np.where(np.isnan(array), expected[name], array) for name, array in ordered.items()}


def for_decoder(decoder: str) -> Task[Any]:
    """The task of a decoder's predictions; raises ``InputError`` for an unknown decoder."""
    if decoder not in _BY_DECODER:
        raise InputError(f"there is no decoder {decoder!r}", f"--decode takes one of {', '.join(_BY_DECODER)}")
    return _BY_DECODER[decoder]


def check_outputs(outputs: Sequence[TensorSpec], card: ModelCard) -> None:
    """Raise ``InputError`` where the outputs of a model can't be those of its task; the fix names a task that they resemble."""
    names = [spec.name for spec in outputs]
    chosen = card.decode.options.get(READ) or names
    for name in chosen:
        if name not in names:
            raise InputError(
                f"--decode-outputs: there is no output {name!r}, only {', '.join(names)}", "name outputs with --output-names"
            )
    outputs = [spec for spec in outputs if spec.name in chosen]
    try:
        find(card.task).check_outputs(outputs, card)
    except OutputsError as error:
        better = [task.name for task in TASKS.values() if task.name != card.task and task.resembles(outputs)]
        if not better:
            raise
        raise InputError(error.problem, f"give --task {' or '.join(better)}, which has such outputs") from error
