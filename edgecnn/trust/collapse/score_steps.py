"""In which steps the scores of a detector come, measured from its outputs: one scale for boxes and scores shows there in every format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.yolo import layout_of
from edgecnn.types import Array, Tensors

CODES = 256  # values of 8 bits


@dataclass(frozen=True, slots=True)
class ScoreSteps:
    """``step``: distance of neighbouring values of an output that holds boxes and scores; ``levels``: different values of the scores.

    ``count``: different values of the whole output, boxes and scores together; ``highest``: the highest of all.
    """

    step: float
    levels: int
    count: int
    highest: float

    @property
    def possible(self) -> int:
        """How many values from 0 to 1 a score can take."""
        return int(1 / self.step + 1e-6) + 1


class ScoreStepWatch:
    """Adds up the different values of an output with boxes and scores over images; ``result`` is None where they are not of 8 bits."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._all, self._scores = np.zeros(0, np.float32), np.zeros(0, np.float32)
        self._is_joined = True

    def add(self, outputs: Tensors) -> None:
        """Add the outputs of one image, as real values."""
        if not self._is_joined:
            return
        scores = _scores(outputs, self._card)
        if scores is None:
            self._is_joined = False
            return
        self._all = np.union1d(self._all, next(iter(outputs.values())))
        self._scores = np.union1d(self._scores, scores)
        self._is_joined = len(self._all) <= CODES  # a float output has thousands

    @property
    def result(self) -> ScoreSteps | None:
        """The steps, where boxes and scores together take no more values than 8 bits have."""
        if not self._is_joined or len(self._all) < 3:
            return None
        return ScoreSteps(float(np.diff(self._all).min()), len(self._scores), len(self._all), float(self._all[-1]))


def _scores(outputs: Tensors, card: ModelCard) -> Array | None:
    """The scores of an output that also holds boxes; None for other outputs."""
    if len(outputs) != 1:
        return None
    array = next(iter(outputs.values()))
    if card.decode.name == "yolox" and array.ndim == 3:
        return np.asarray(array[..., 4:])
    layout = layout_of(array.shape, card.preprocess.size, len(card.labels)) if card.decode.name == "yolo" else ""
    return {"columns": lambda: array[:, 4:], "rows": lambda: array[..., 4:], "objectness": lambda: array[..., 4:]}.get(
        layout, lambda: None
    )()
