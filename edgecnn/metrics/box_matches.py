"""Which detections are right, for all IoU thresholds and object sizes of the COCO metrics, kept in a few bytes for each detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.class_matches import ClassMatches
from edgecnn.metrics.ground_truth import GroundTruthBoxes
from edgecnn.metrics.object_match import box_overlaps
from edgecnn.rotated import from_corners
from edgecnn.types import Array, Detections, Float32, Int64

THRESHOLDS: Final = np.linspace(0.5, 0.95, 10)  # IoU
# sizes of objects in pixels, both ends belong to it: small is below 32 x 32, large above 96 x 96
AREAS: Final = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MAX_DETECTIONS: Final = 100  # of one class in one image: the limit of the COCO metrics
_BITS: Final = (1 << np.arange(len(THRESHOLDS))).astype(np.uint16)
_FOLD: Final = 512  # images that are joined to one part
_RANGES: Final = np.array(list(AREAS.values()))

Bits = NDArray[np.uint16]


@dataclass(slots=True)
class BoxMatches:
    """Collects the matches of detections image by image, with class ids below ``classes``.

    ``drawn`` keeps the average precision of resamples (R, classes that have objects, T) for who needs them again.
    """

    classes: int
    images: int = 0
    drawn: Array | None = None
    _recent: list[_MatchedBoxes] = field(default_factory=list)
    _parts: list[_MatchedBoxes] = field(default_factory=list)

    def add(self, predicted: Detections, truth: GroundTruthBoxes) -> None:
        """Add one image: boxes in source pixels, class ids of the dataset.

        Where both sides have rotated boxes their exact IoU counts, else that of the upright ones.
        """
        self._recent.append(_matched(predicted, truth, self.images))
        self.images += 1
        if len(self._recent) == _FOLD:
            self._fold()

    def support(self) -> Int64:
        """The number of objects of each class that are not ignored (classes,)."""
        objects = self._all().objects
        return np.bincount(objects[objects[:, 2] == 0, 1], minlength=self.classes)

    def of_class(self, class_id: int, area: str = "all") -> ClassMatches:
        """The matches of one class, for objects of one of the sizes in AREAS."""
        return self.of_classes([class_id], area)[0]

    def of_classes(self, class_ids: Sequence[int], area: str = "all") -> list[ClassMatches]:
        """The matches of each of some classes."""
        everything, place = self._all(), list(AREAS).index(area)
        # a stable sort keeps the order of ties, as in pycocotools
        order = np.lexsort((-everything.score, everything.class_id))
        ordered = everything.class_id[order]
        objects = everything.objects[everything.objects[:, 2] == place]
        found = []
        for class_id in class_ids:
            first, end = np.searchsorted(ordered, [class_id, class_id + 1])
            rows = order[first:end]
            right, ignored = (_unpacked(bits[place, rows]) for bits in (everything.matched, everything.ignored))
            found.append(
                ClassMatches(
                    everything.image[rows].astype(np.int64),
                    everything.score[rows],
                    right & ~ignored,
                    ~right & ~ignored,
                    np.bincount(objects[objects[:, 1] == class_id, 0], minlength=self.images),
                )
            )
        return found

    def _fold(self) -> None:
        self._parts.append(_MatchedBoxes.joined(self._recent))
        self._recent = []

    def _all(self) -> _MatchedBoxes:
        if self._recent or len(self._parts) != 1:
            self._parts = [_MatchedBoxes.joined([*self._parts, *self._recent])]
            self._recent = []
        return self._parts[0]


@dataclass(frozen=True, slots=True, eq=False)
class _MatchedBoxes:
    """Detections (n,) of some images, bits of IoU thresholds (areas, n), and a row image, class, area for each object of that area."""

    image: NDArray[np.int32]
    class_id: NDArray[np.int32]
    score: Float32
    matched: Bits
    ignored: Bits
    objects: NDArray[np.int32]

    @classmethod
    def joined(cls, parts: list[_MatchedBoxes]) -> _MatchedBoxes:
        none = np.zeros((len(AREAS), 0), np.uint16)
        return cls(
            np.concatenate([np.zeros(0, np.int32), *(part.image for part in parts)]),
            np.concatenate([np.zeros(0, np.int32), *(part.class_id for part in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(part.score for part in parts)]),
            np.concatenate([none, *(part.matched for part in parts)], 1),
            np.concatenate([none, *(part.ignored for part in parts)], 1),
            np.concatenate([np.zeros((0, 3), np.int32), *(part.objects for part in parts)]),
        )


def _matched(predicted: Detections, truth: GroundTruthBoxes, image: int) -> _MatchedBoxes:
    predicted = predicted[_best_of_each_class(predicted)]
    turned = predicted.xywhr is not None and truth.corners is not None
    size = (
        truth.area
        if truth.area is not None
        else _size(truth.xyxy, from_corners(truth.corners) if truth.corners is not None else None)
    )
    outside = _outside(_size(predicted.xyxy, predicted.xywhr if turned else None))
    crowd = np.zeros(len(truth.xyxy), np.bool_) if truth.crowd is None else np.asarray(truth.crowd, np.bool_)
    aside = crowd | _outside(size)
    shared, inside = box_overlaps(predicted, truth)
    same = predicted.class_id[:, None] == truth.class_id[None]
    overlap = np.where(same, np.where(crowd, inside, shared), -1.0)
    matched, on_ignored = _assigned(overlap, aside, crowd)
    ignored = np.where(matched, on_ignored, outside[:, None])
    area, number = np.nonzero(~aside)
    objects = np.stack([np.full(len(area), image), truth.class_id[number], area], 1)
    return _MatchedBoxes(
        np.full(len(predicted), image, np.int32),
        predicted.class_id.astype(np.int32),
        predicted.score,
        _packed(matched),
        _packed(ignored),
        objects.astype(np.int32),
    )


def _best_of_each_class(predicted: Detections) -> Int64:
    """Indices by descending score, of each class at most MAX_DETECTIONS."""
    order = np.argsort(-predicted.score, kind="stable")
    if len(order) <= MAX_DETECTIONS:
        return order
    ids = predicted.class_id[order]
    rank = np.zeros(len(ids), np.int64)
    for class_id in np.unique(ids):
        rank[ids == class_id] = np.arange(np.count_nonzero(ids == class_id))
    kept: Int64 = order[rank < MAX_DETECTIONS]
    return kept


def _assigned(overlap: Array, aside: NDArray[np.bool_], crowd: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each of n detections, best first, has a true box, and whether that is one that does not count: (areas, T, n).

    ``overlap`` (n, m), ``aside`` (areas, m): true boxes that do not count, which are taken last; a crowd box can be taken many times. Of
    equal overlaps the last box is taken, as in pycocotools.
    """
    count, areas, levels = len(overlap), len(aside), np.minimum(THRESHOLDS, 1 - 1e-10)
    matched = np.zeros((areas, len(levels), count), np.bool_)
    on_ignored = np.zeros_like(matched)
    taken = np.zeros((areas, len(levels), overlap.shape[1]), np.bool_)
    area, level = np.indices((areas, len(levels)))
    for row in np.flatnonzero(overlap.max(axis=1, initial=-1.0) >= levels[0]):
        near = overlap[row] >= levels[:, None]
        # those that count come before those that do not: 2 is above every overlap
        value = np.where(near & ~taken, np.where(aside, overlap[row], overlap[row] + 2)[:, None], -1.0)
        best = value.shape[2] - 1 - value[..., ::-1].argmax(axis=2)
        found = value[area, level, best] > 0
        matched[..., row], on_ignored[..., row] = found, found & aside[area, best]
        taken[area, level, best] |= found & ~crowd[best]
    return matched, on_ignored


def _size(xyxy: Float32, xywhr: Float32 | None) -> Float32:
    """The area of each box, of the rotated one where there is one."""
    sides = xyxy[:, 2:] - xyxy[:, :2] if xywhr is None else xywhr[:, 2:4]
    size: Float32 = sides.prod(axis=1)
    return size


def _outside(size: Float32) -> NDArray[np.bool_]:
    """Whether each size is out of each of the AREAS: (areas, n)."""
    return (size < _RANGES[:, :1]) | (size > _RANGES[:, 1:])


def _packed(flags: NDArray[np.bool_]) -> Bits:
    """Flags (areas, T, n) as bits (areas, n)."""
    bits: Bits = np.where(flags, _BITS[:, None], np.uint16(0)).sum(axis=1, dtype=np.uint16)
    return bits


def _unpacked(bits: Bits) -> NDArray[np.bool_]:
    """Bits (n,) as flags (T, n)."""
    return (bits & _BITS[:, None]) > 0
