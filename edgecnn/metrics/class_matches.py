"""The matched detections of a class, and average precision of many classes at once, with images counted several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Array, Float32, Int64

RECALL_LEVELS: Final = np.linspace(0, 1, 101)
_TOGETHER: Final = 4_000_000  # weights times detections that are held in memory


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """All detections of one class by descending score: ``image`` (n,), ``score`` (n,), and for T IoU thresholds true and false
    positives (T, n) bool.

    ``objects`` (images,) is the number of ground truth objects in each image. Ignored detections are neither true nor false.
    """

    image: Int64
    score: Float32
    true_positive: NDArray[np.bool_]
    false_positive: NDArray[np.bool_]
    objects: Int64

    def recall(self) -> Array:
        """The share of the objects that are found (T,)."""
        found: Array = self.true_positive.sum(axis=1) / max(int(self.objects.sum()), 1)
        return found

    def precision(self, weight: Array) -> Array:
        """Average precision (R, T) with each image counted ``weight`` (R, images) times, see ``weighted_precision``."""
        found: Array = weighted_precision([self], weight)[:, 0]
        return found

    def curve(self, threshold: int = 0) -> tuple[Array, Array, Array]:
        """Recall, precision and score (n,) while the score falls, at the IoU threshold of this place."""
        true, false = np.cumsum(self.true_positive[threshold]), np.cumsum(self.false_positive[threshold])
        return true / max(int(self.objects.sum()), 1), true / np.maximum(true + false, 1), self.score


def weighted_precision(matches: Sequence[ClassMatches], weight: Array) -> Array:
    """Average precision (R, K, T) of K classes, interpolated at 101 recall levels, with each image counted ``weight`` (R, images) times.

    NaN for a class of which the weighted images hold no object. Drawing an image twice is the same as counting its detections twice, so
    nothing is matched again.
    """
    joined = _JoinedClasses(matches)
    rows = max(_TOGETHER // max(len(joined.image), 1), 1)
    parts = [joined.precision(weight[first : first + rows]) for first in range(0, len(weight), rows)]
    return np.concatenate(parts)


class _JoinedClasses:
    """The detections of all classes in one row: class after class, each by descending score."""

    def __init__(self, matches: Sequence[ClassMatches]) -> None:
        self.image = np.concatenate([item.image for item in matches])
        self._owner = np.repeat(np.arange(len(matches)), [len(item.image) for item in matches])
        self._true = np.concatenate([item.true_positive for item in matches], axis=1)
        self._counted = self._true | np.concatenate([item.false_positive for item in matches], axis=1)
        self._objects = np.stack([item.objects for item in matches]).astype(np.float64)

    def precision(self, weight: Array) -> Array:
        """See ``weighted_precision``."""
        objects = weight.astype(np.float64) @ self._objects.T
        each = np.ascontiguousarray(weight, np.int32)
        found = np.zeros((len(weight), len(self._objects), len(self._true)))
        for level, (true, counted) in enumerate(zip(self._true, self._counted, strict=True)):
            # with few detections the same ones are right at several thresholds
            same = level and (true == self._true[level - 1]).all() and (counted == self._counted[level - 1]).all()
            if same:
                found[:, :, level] = found[:, :, level - 1]
            elif true.any():
                self._at_level(true, counted, each, objects, found[:, :, level])
        return np.where(objects[:, :, None] > 0, found, np.nan)

    def _at_level(
        self, true: NDArray[np.bool_], counted: NDArray[np.bool_], weight: NDArray[np.int32], objects: Array, into: Array
    ) -> None:
        """Write the average precision (R, K) at one IoU threshold; classes without a true positive are left as they are."""
        # precision falls between true positives: only there can it be the highest of what follows
        last = np.full(len(self._objects), -1)
        places = np.flatnonzero(true)
        last[self._owner[places]] = places
        rows = np.flatnonzero(counted & (np.arange(len(true)) <= last[self._owner]))
        each = np.take(weight, self.image[rows], axis=1)
        at = np.flatnonzero(true[rows])
        owner = self._owner[rows[at]]
        first = np.flatnonzero(np.diff(owner, prepend=-1))  # of the true positives of each class
        counts = np.diff(first, append=len(at))
        hits, named = np.cumsum(each[:, at], axis=1, dtype=np.int32), np.cumsum(each, axis=1, dtype=np.int32)
        begin = np.searchsorted(self._owner[rows], owner[first])
        hits, named = hits - _before(hits, first, counts), named[:, at] - _before(named, begin, counts)
        precision = hits / np.maximum(named, 1)
        for start, count in zip(first.tolist(), counts.tolist(), strict=True):
            # the precision at a recall is the highest at that recall or above (as in pycocotools)
            own = precision[:, start : start + count]
            own[:] = np.maximum.accumulate(own[:, ::-1], axis=1)[:, ::-1]
        # how many of the recall levels are reached by each true positive; levels that are never reached have precision 0
        reached = RECALL_LEVELS.searchsorted(hits / np.maximum(objects, 1)[:, owner], side="right")
        gained = np.diff(reached, axis=1, prepend=0)
        gained[:, first] = reached[:, first]
        into[:, owner[first]] = np.add.reduceat(gained * precision, first, axis=1) / len(RECALL_LEVELS)


def _before(sums: NDArray[np.int32], begin: Int64, counts: Int64) -> NDArray[np.int32]:
    """Of the running ``sums`` (R, n) of all classes, what was reached before each class began, ``counts`` times for each."""
    reached = np.where(begin > 0, sums[:, begin - 1], 0)
    return np.repeat(reached, counts, axis=1)
