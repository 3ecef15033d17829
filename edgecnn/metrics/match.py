"""Matches the boxes of two sets by IoU: greedy assignment in the order of scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.rotated import overlap as rotated_overlap
from edgecnn.types import Detections, Float32, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The m matched pairs of boxes of ``a`` and ``b``, and the boxes without a match.

    ``pairs`` (m, 2) int64 indices, ``iou`` (m,) float32, ``score_difference`` (m,) float32 = score of b - score of a,
    ``only_a`` and ``only_b`` int64 indices of unmatched boxes.
    """

    pairs: Int64
    iou: Float32
    score_difference: Float32
    only_a: Int64
    only_b: Int64

    def __len__(self) -> int:
        return len(self.pairs)


def iou_matrix(a: Float32, b: Float32) -> Float32:
    """Intersection over union of each of (n, 4) xyxy with each of (m, 4): (n, m) float32; 0 where both boxes are empty."""
    corner_low = np.maximum(a[:, None, :2], b[None, :, :2])
    corner_high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = np.clip(corner_high - corner_low, 0, None).prod(axis=2)
    union = _area(a)[:, None] + _area(b)[None, :] - intersection
    result: Float32 = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0).astype(np.float32)
    return result


def match(a: Detections, b: Detections, *, iou: float = 0.5, class_aware: bool = True) -> Matches:
    """Match boxes of ``a`` to boxes of ``b`` with an IoU of at least ``iou`` and, if ``class_aware``, the same class.

    Rotated boxes are matched by the IoU of the rotated rectangles. Greedy: boxes of ``a`` in the order of their scores, each gets the
    unmatched box of ``b`` with the highest IoU.
    """
    overlap = _overlap(a, b)
    if class_aware:
        # -1 is below every threshold, also 0
        overlap = np.where(a.class_id[:, None] == b.class_id[None, :], overlap, np.float32(-1))
    pairs = greedy(overlap, np.argsort(-a.score, kind="stable"), iou)
    first, second = pairs[:, 0], pairs[:, 1]
    return Matches(
        pairs,
        overlap[first, second],
        b.score[second] - a.score[first],
        np.setdiff1d(np.arange(len(a)), first),
        np.setdiff1d(np.arange(len(b)), second),
    )


def _overlap(a: Detections, b: Detections) -> Float32:
    if a.xywhr is not None and b.xywhr is not None:
        return rotated_overlap(a.xywhr, b.xywhr)
    return iou_matrix(a.xyxy, b.xyxy)


def greedy(overlap: Float32, order: Int64, threshold: float) -> Int64:
    """Pairs (m, 2) of rows and columns: rows in ``order`` get the unmatched column of the highest overlap, from ``threshold`` on."""
    overlap = overlap.copy()
    pairs: list[tuple[int, int]] = []
    for row in order if overlap.shape[1] else ():
        column = int(overlap[row].argmax())
        if overlap[row, column] >= threshold:
            pairs.append((int(row), column))
            overlap[:, column] = -1
    return np.array(pairs, np.int64).reshape(-1, 2)


def _area(boxes: Float32) -> Float32:
    area: Float32 = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    return area
