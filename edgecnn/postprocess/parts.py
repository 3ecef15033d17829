"""The parts of a raw output that have ranges of their own: a tensor may hold boxes in pixels beside scores of 0..1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.yolo import layout_of
from edgecnn.postprocess.yolo_obb import class_axis
from edgecnn.types import Array

SEEN = 0.001  # boxes with lower scores are neither shown nor counted in mAP
BOX = 4  # numbers of a box, in front of its scores


@dataclass(frozen=True, slots=True)
class ScorePlace:
    """The places ``start`` to ``stop`` that hold the scores of a box; the first of them is its objectness where there is one."""

    start: int
    stop: int | None
    has_objectness: bool

    def best(self, rows: Array) -> Array:
        """The highest score of each box, whose values are the last axis of ``rows``."""
        scores = rows[..., self.start : self.stop]
        best: Array = (scores[..., :1] * scores[..., 1:] if self.has_objectness else scores).max(-1)
        return best


@dataclass(frozen=True, slots=True)
class OutputPart:
    """The values ``start`` to ``stop`` (None: the end) along ``axis`` of the output ``output``; ``axis`` holds one channel each.

    ``scores`` is where the output holds the scores of these boxes; None where this part is none of a box. ``joined``: the first of the
    values is an objectness, and the others are multiplied by it, because a class score alone is never shown.
    """

    name: str
    output: str
    axis: int = -1
    start: int = 0
    stop: int | None = None
    scores: ScorePlace | None = None
    joined: bool = False

    @property
    def holds_scores(self) -> bool:
        """Whether the values are scores of boxes."""
        return self.name.endswith("scores")

    def pick(self, array: Array) -> Array:
        """The part of ``array``, which is the whole output."""
        if not array.ndim:
            return array
        index = [slice(None)] * array.ndim
        index[self.axis] = slice(self.start, self.stop)
        picked = array[tuple(index)]
        if not self.joined:
            return picked
        rows = np.moveaxis(picked, self.axis, -1)
        return np.moveaxis(np.concatenate([rows[..., :1], rows[..., :1] * rows[..., 1:]], -1), -1, self.axis)

    def seen(self, array: Array) -> Array | None:
        """Which places of ``array``, without ``axis``, hold a box whose score is at least ``SEEN``; None for a part without scores.

        The numbers of other boxes mean nothing: no training has looked at them.
        """
        return None if self.scores is None else self.scores.best(np.moveaxis(array, self.axis, -1)) >= SEEN


def _yolo(shape: Sequence[int], card: ModelCard) -> int | None:
    layout = layout_of(shape, card.preprocess.size, len(card.labels))
    return {"columns": 1, "rows": 2, "objectness": 2}.get(layout)


def _yolox(shape: Sequence[int], card: ModelCard) -> int | None:
    return 2 if len(shape) == 3 else None


def _yolo_obb(shape: Sequence[int], card: ModelCard) -> int | None:
    return class_axis(shape, len(card.labels))


def _has_objectness(shape: Sequence[int], card: ModelCard) -> bool:
    if card.decode.name == "yolo":
        return layout_of(shape, card.preprocess.size, len(card.labels)) == "objectness"
    return card.decode.name == "yolox"


# The axis along which one output holds boxes and scores, None for an output that does not.
_AXES: Mapping[str, Callable[[Sequence[int], ModelCard], int | None]] = {"yolo": _yolo, "yolox": _yolox, "yolo-obb": _yolo_obb}


def output_parts(shapes: Mapping[str, Sequence[int]], card: ModelCard) -> tuple[OutputPart, ...]:
    """The parts of outputs of these ``shapes`` by name: boxes and scores where the card's decoder finds both in one, else all of it."""
    axis_of = _AXES.get(card.decode.name)
    found: list[OutputPart] = []
    for name, shape in shapes.items():
        axis = axis_of(shape, card) if axis_of else None
        if axis is None:
            found.append(OutputPart(name, name))
        else:
            angle = card.decode.name == "yolo-obb"
            scores = ScorePlace(BOX, -1 if angle else None, _has_objectness(shape, card))
            found.append(OutputPart(f"{name} boxes", name, axis, 0, BOX, scores))
            found.append(OutputPart(f"{name} scores", name, axis, scores.start, scores.stop, joined=scores.has_objectness))
            found += [OutputPart(f"{name} angles", name, axis, -1, None, scores)] if angle else []
    return tuple(found)
