"""Matches detections with true boxes of one image as pycocotools does, and names the kind of each false positive as TIDE does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.ground_truth import GroundTruthBoxes
from edgecnn.rotated import from_corners
from edgecnn.rotated import overlap as rotated_overlap
from edgecnn.types import Array, Detections, Int64

MATCH_IOU: Final = 0.5
BACKGROUND_IOU: Final = 0.1  # as in TIDE: a box that overlaps less than this with every object is on the background
ERROR_KINDS: Final = ("localisation", "class", "both", "duplicate", "background")  # of a false positive
LOCALISATION, CLASS, BOTH, DUPLICATE, BACKGROUND = range(5)
RIGHT, IGNORED = -1, -2  # in place of a kind: a true positive, and a detection that does not count


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMatch:
    """What the n detections and m true boxes of an image are to each other.

    ``kind`` (n,) int64: RIGHT, IGNORED, or the index of an error in ERROR_KINDS. ``object`` (n,) int64: the true box that a detection
    is right about or that its error is charged to, -1 for none. ``counts`` (m,) bool: false for a crowd box, which nobody has to find.
    """

    kind: Int64
    object: Int64
    counts: NDArray[np.bool_]


def match_objects(predicted: Detections, truth: GroundTruthBoxes, *, iou: float = MATCH_IOU) -> ObjectMatch:
    """Match the detections of one image: both with class ids of the dataset, boxes in the same pixels.

    Detections in the order of their scores get the unmatched true box of their class with the highest overlap of at least ``iou``; a
    detection that only fits a crowd box is ignored. What is left is an error of one kind (TIDE: Bolya et al. 2020, section 2.2).
    """
    crowd = np.zeros(len(truth.xyxy), np.bool_) if truth.crowd is None else np.asarray(truth.crowd, np.bool_)
    shared, inside = box_overlaps(predicted, truth)
    same = predicted.class_id[:, None] == truth.class_id[None]
    order = np.argsort(-predicted.score, kind="stable")
    found = _greedy(np.where(same & ~crowd, shared, -1.0), order, iou)
    ignored = (found < 0) & (np.where(same & crowd, inside, -1.0).max(axis=1, initial=-1.0) >= iou)
    kind, charged = _kinds(np.where(crowd, -1.0, shared), same, iou)
    kind = np.where(found >= 0, RIGHT, np.where(ignored, IGNORED, kind))
    return ObjectMatch(kind, np.where(found >= 0, found, np.where(ignored, -1, charged)), ~crowd)


def _greedy(overlap: Array, order: Int64, iou: float) -> Int64:
    """The column of each row, -1 for none; of equal overlaps the last column is taken, as pycocotools does."""
    found = np.full(len(overlap), -1, np.int64)
    overlap = overlap.copy()
    near = overlap.max(axis=1, initial=-1.0) >= iou
    for row in order[near[order]]:
        best = overlap[row].max()
        if best >= min(iou, 1 - 1e-10):
            found[row] = np.flatnonzero(overlap[row] == best)[-1]
            overlap[:, found[row]] = -1.0
    return found


def _kinds(overlap: Array, same: NDArray[np.bool_], iou: float) -> tuple[Int64, Int64]:
    """For detections that are not right: the kind of error, and the object it is charged to (of duplicates, the one found twice)."""
    count = len(overlap)
    if not overlap.shape[1]:
        return np.full(count, BACKGROUND, np.int64), np.full(count, -1, np.int64)
    own, other = np.where(same, overlap, -1.0), np.where(same, -1.0, overlap)
    own_best, other_best = own.max(1), other.max(1)
    near = (own_best >= BACKGROUND_IOU) & (own_best < iou)
    rules = [near, other_best >= iou, own_best >= iou, np.maximum(own_best, other_best) < BACKGROUND_IOU]
    kind = np.select(rules, [LOCALISATION, CLASS, DUPLICATE, BACKGROUND], BOTH).astype(np.int64)
    charged = np.select([kind == BACKGROUND, np.isin(kind, (LOCALISATION, DUPLICATE))], [-1, own.argmax(1)], other.argmax(1))
    return kind, charged.astype(np.int64)


def box_overlaps(predicted: Detections, truth: GroundTruthBoxes) -> tuple[Array, Array]:
    """Of each detection with each true box (n, m): intersection over union, and over the area of the detection (for crowd boxes)."""
    if predicted.xywhr is not None and truth.corners is not None:
        shared = rotated_overlap(predicted.xywhr, from_corners(truth.corners)).astype(np.float64)
        return shared, shared
    a, b = predicted.xyxy.astype(np.float64), truth.xyxy.astype(np.float64)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None], (b[:, 2:] - b[:, :2]).prod(axis=1)[None]
    return _ratio(both, area_a + area_b - both), _ratio(both, np.broadcast_to(area_a, both.shape))


def _ratio(part: Array, whole: Array) -> Array:
    found: Array = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return found
