"""Whether a model says the same of a changed image as of the image itself (Zhang 2019, arXiv:1904.11486, section 4.1)."""

from __future__ import annotations

import numpy as np

from edgecnn.data.moved_boxes import move_boxes
from edgecnn.metrics.estimate import Interval
from edgecnn.metrics.match import match
from edgecnn.shown_scores import ShownScores
from edgecnn.trust.significance import ratio_interval
from edgecnn.types import Array, Boxes, Classes, Detections, Prediction


class Consistency:
    """Counts answers that stay: the best class of an image, or each ``shown`` box that is found again where the change moved it."""

    def __init__(self, shown: ShownScores | None = None) -> None:
        self._shown = shown or ShownScores()
        self._same: list[int] = []
        self._all: list[int] = []

    def add(self, before: Prediction | None, after: Prediction, matrix: Array | None, size: tuple[int, int]) -> None:
        """The answers for one image of (height, width) ``before`` the change, which moved its pixels by ``matrix``, and ``after``."""
        if isinstance(before, Classes) and isinstance(after, Classes):
            self._same.append(int(before.top1 == after.top1))
            self._all.append(1)
        elif isinstance(before, Detections) and isinstance(after, Detections):
            expected, got = _moved(self._shown.keep(before), matrix, size), self._shown.keep(after)
            self._same.append(2 * len(match(expected, got)))
            self._all.append(len(expected) + len(got))

    @property
    def share(self) -> float | None:
        """The share of answers that stay; None where nothing was counted."""
        total = sum(self._all)
        return sum(self._same) / total if total else None

    def interval(self, seed: int = 0) -> Interval | None:
        """The 95 % interval of the share over images."""
        return ratio_interval(np.array(self._same), np.array(self._all), seed)


def compared(found: Prediction, shown: ShownScores) -> Prediction | None:
    """What is kept of an answer to compare with: classes, and boxes that are ``shown``; None for other tasks."""
    if isinstance(found, Detections):
        return shown.keep(found)  # weak boxes come and go with the noise of any image
    return found if isinstance(found, Classes) else None


def _moved(found: Detections, matrix: Array | None, size: tuple[int, int]) -> Detections:
    """The boxes at their places in the moved image, without those that are mostly cut off."""
    if matrix is None:
        return found
    moved, kept = move_boxes(Boxes(found.xyxy, found.class_id), matrix, size)
    crowd = np.zeros(len(moved), bool) if moved.crowd is None else moved.crowd
    return Detections(moved.xyxy, found.score[kept], moved.class_id)[~crowd]
