"""What each kind of error of a detector costs in AP50, as TIDE measures it (Bolya et al. 2020): AP50 with it mended, less AP50.

A box of the wrong class or at the wrong place is mended where its object was not found and it is the best such box of the object; else
it is taken away, like duplicates and boxes on the background. Missed objects are mended by not asking for them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.bootstrap import class_mean, once_and_drawn, resample_count
from edgecnn.metrics.class_matches import ClassMatches, weighted_precision
from edgecnn.metrics.estimate import Estimate
from edgecnn.metrics.object_match import CLASS, ERROR_KINDS, LOCALISATION, RIGHT
from edgecnn.shown_scores import ShownScores
from edgecnn.trust.accuracy.estimate import estimates
from edgecnn.trust.judgement import Judgement
from edgecnn.types import Array, Int64

MISSED_KIND, FALSE_POSITIVE, FALSE_NEGATIVE = "missed", "all false boxes", "all objects not found"
COSTS: Final = (*ERROR_KINDS, MISSED_KIND, FALSE_POSITIVE, FALSE_NEGATIVE)


@dataclass(frozen=True, slots=True)
class ErrorKindCost:
    """One kind of error: how many there are among the boxes that are shown, and what it costs in AP50 over all scores."""

    kind: str
    count: int
    cost: Estimate


class ErrorCollector:
    """Keeps of each detection its image, class, score, kind of error and object, and of each object its image and class."""

    def __init__(self) -> None:
        self._boxes, self._scores = array("q"), array("f")
        self._objects = array("q")
        self._images = 0

    def add(self, judgement: Judgement) -> None:
        """Add an image that was judged at a score threshold of 0."""
        image, first = self._images, len(self._objects) // 2
        for class_id, score, place in zip(
            judgement.truth.tolist(), judgement.score.tolist(), np.arange(len(judgement)).tolist(), strict=True
        ):
            self._objects.extend((image, class_id))
            if judgement.right[place]:
                self._boxes.extend((image, class_id, RIGHT, first + place))
                self._scores.append(score)
        extra = judgement.extra
        for class_id, score, kind, instance in zip(
            extra.class_id.tolist(), extra.score.tolist(), extra.kind.tolist(), extra.instance.tolist(), strict=True
        ):
            self._boxes.extend((image, class_id, kind, first + instance if instance >= 0 else -1))
            self._scores.append(score)
        self._images += 1

    def table(self) -> ErrorTable:
        """All of them."""
        boxes = np.array(self._boxes, np.int64).reshape(-1, 4)
        objects = np.array(self._objects, np.int64).reshape(-1, 2)
        return ErrorTable(self._images, boxes, np.array(self._scores, np.float32), objects)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorTable:
    """``boxes`` (n, 4) int64: image, class, kind, object or -1; ``score`` (n,); ``objects`` (m, 2) int64: image, class."""

    images: int
    boxes: Int64
    score: Array
    objects: Int64

    def shown(self, shown: ShownScores) -> NDArray[np.bool_]:
        """Which boxes (n,) have the score from which those of their class are shown."""
        return np.asarray(self.score >= shown.of(self.boxes[:, 1]))

    def counts(self, shown: ShownScores) -> dict[str, int]:
        """Errors by kind among the boxes that are shown, and objects that none of these is about."""
        kept = self.boxes[self.shown(shown)]
        found = {kind: int((kept[:, 2] == place).sum()) for place, kind in enumerate(ERROR_KINDS)}
        right = len(np.unique(kept[kept[:, 2] == RIGHT, 3]))
        wrong, objects = int((kept[:, 2] != RIGHT).sum()), len(self.objects)
        return {**found, MISSED_KIND: objects - len(self._about(kept)), FALSE_POSITIVE: wrong, FALSE_NEGATIVE: objects - right}

    def found(self, class_id: int, threshold: float) -> tuple[Int64, Int64, Int64]:
        """Right boxes, all boxes and all objects of a class in each image (images,), boxes from a score on."""
        own = self.boxes[(self.boxes[:, 1] == class_id) & (self.score >= threshold)]
        rows = own[own[:, 2] == RIGHT, 0], own[:, 0], self.objects[self.objects[:, 1] == class_id, 0]
        right, named, objects = (np.bincount(images, minlength=self.images) for images in rows)
        return right, named, objects

    def costs(self, shown: ShownScores, seed: int) -> tuple[ErrorKindCost, ...]:
        """Every kind of COSTS with its cost; the resamples of all kinds draw the same images."""
        rounds = resample_count(len(self.boxes)) if self.images > 1 else 0
        weight = once_and_drawn(self.images, rounds, seed)
        asked = np.ones(len(self.objects), np.bool_)
        base = self._ap50(self.boxes, self.score, asked, weight)
        gains = np.stack([self._mended(kind, weight) - base for kind in COSTS], 1)
        found = estimates(COSTS, gains[0], gains[1:] if rounds else None)
        counts = self.counts(shown)
        return tuple(ErrorKindCost(kind, counts[kind], found[kind]) for kind in COSTS)

    def _mended(self, kind: str, weight: Array) -> Array:
        boxes, score, asked = self.boxes, self.score, np.ones(len(self.objects), np.bool_)
        if kind in (MISSED_KIND, FALSE_NEGATIVE):
            about = boxes[boxes[:, 2] == RIGHT, 3] if kind == FALSE_NEGATIVE else self._about(boxes)
            asked[:] = False
            asked[about] = True
        elif kind == FALSE_POSITIVE:
            boxes, score = boxes[boxes[:, 2] == RIGHT], score[boxes[:, 2] == RIGHT]
        else:
            boxes, score = self._without(ERROR_KINDS.index(kind))
        return self._ap50(boxes, score, asked, weight)

    def _without(self, kind: int) -> tuple[Int64, Array]:
        """Boxes and scores with the errors of a kind mended or taken away."""
        boxes = self.boxes.copy()
        mended = self._best_of_its_object() & (boxes[:, 2] == kind)
        boxes[mended, 1] = self.objects[boxes[mended, 3], 1]
        boxes[mended, 2] = RIGHT
        kept = boxes[:, 2] != kind
        return boxes[kept], self.score[kept]

    def _best_of_its_object(self) -> NDArray[np.bool_]:
        """Boxes of the wrong class or place that are the best such box of an object that was not found."""
        near = np.flatnonzero(np.isin(self.boxes[:, 2], (LOCALISATION, CLASS)))
        found = self.boxes[self.boxes[:, 2] == RIGHT, 3]
        near = near[~np.isin(self.boxes[near, 3], found)]
        near = near[np.argsort(-self.score[near], kind="stable")]
        _, first = np.unique(self.boxes[near, 3], return_index=True)
        best = np.zeros(len(self.boxes), np.bool_)
        best[near[first]] = True
        return best

    @staticmethod
    def _about(boxes: Int64) -> Int64:
        """Objects that a box is right about, or wrong only in the class or the place."""
        return np.unique(boxes[np.isin(boxes[:, 2], (RIGHT, LOCALISATION, CLASS)), 3])

    def _ap50(self, boxes: Int64, score: Array, asked: NDArray[np.bool_], weight: Array) -> Array:
        """AP50 (R,), the mean of the classes that have objects."""
        ids = np.unique(self.objects[:, 1])
        order = np.lexsort((-score, boxes[:, 1]))
        boxes, score, objects = boxes[order], score[order], self.objects[asked]
        matches = []
        for class_id, first, end in zip(
            ids, *(np.searchsorted(boxes[:, 1], ids, side) for side in ("left", "right")), strict=True
        ):
            own = boxes[first:end]
            true = (own[:, 2] == RIGHT)[None]
            counted = np.bincount(objects[objects[:, 1] == class_id, 0], minlength=self.images)
            matches.append(ClassMatches(own[:, 0], score[first:end], true, ~true, counted))
        return class_mean(weighted_precision(matches, weight))[:, 0]
