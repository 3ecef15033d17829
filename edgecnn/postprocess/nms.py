"""Greedy non-maximum suppression by class, on OpenCV's implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edgecnn.types import Detections, Float32, Int64

MAX_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """Which candidates are kept: score at least ``score``, IoU with a better box of its class at most ``iou``, ``count`` in all."""

    score: float = 0.25
    iou: float = 0.6
    count: int = 100

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Limits:
        """From a card's decode options score_threshold, iou_threshold and max_detections."""
        return cls(
            float(options.get("score_threshold", 0.25)),
            float(options.get("iou_threshold", 0.6)),
            int(options.get("max_detections", 100)),
        )


def best_class(scores: Float32, threshold: float) -> tuple[Int64, Int64, Float32]:
    """Rows of ``scores`` (n, C) whose best class reaches ``threshold``: row indices, class ids, scores."""
    kept = _reaching(scores, threshold)
    chosen = scores[kept]
    class_id = chosen.argmax(axis=1)
    return kept, class_id, chosen[np.arange(len(kept)), class_id]


def _reaching(scores: Float32, threshold: float) -> Int64:
    """Rows with a score of at least ``threshold``; a flat search is several times as quick as a maximum over short rows."""
    if not scores.flags.c_contiguous:
        return np.flatnonzero(scores.max(axis=1) >= threshold)
    rows: Int64 = np.flatnonzero(scores >= threshold) // scores.shape[1]
    first: Int64 = np.flatnonzero(np.diff(rows, prepend=-1))
    return rows[first]


def strongest(score: Float32, count: int = MAX_CANDIDATES) -> Int64:
    """Indices of the ``count`` highest scores, highest first; equal scores keep their order."""
    if len(score) > count:
        top = np.sort(np.argpartition(-score, count - 1)[:count])
        return top[np.argsort(-score[top], kind="stable")]
    return np.argsort(-score, kind="stable")


def suppress(xyxy: Float32, score: Float32, class_id: Int64, limits: Limits) -> Detections:
    """The best ``limits.count`` boxes, highest score first, of which no two of a class overlap more than ``limits.iou``.

    Only the 1000 best candidates are looked at, and none that is not finite. Classes are kept apart by moving each to a place of its
    own in the plane.
    """
    finite = np.isfinite(xyxy).all(axis=1)
    if not finite.all():
        xyxy, score, class_id = xyxy[finite], score[finite], class_id[finite]
    order = strongest(score)
    xyxy, score, class_id = xyxy[order], score[order], class_id[order]
    if len(order) > 1:
        first = _kept(xyxy[: 2 * limits.count], class_id[: 2 * limits.count], limits.iou)
        enough = len(first) >= limits.count or 2 * limits.count >= len(xyxy)  # weaker boxes can't remove stronger ones
        kept = (first if enough else _kept(xyxy, class_id, limits.iou))[: limits.count]
        xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]
    return Detections(np.ascontiguousarray(xyxy, np.float32), score.astype(np.float32), class_id.astype(np.int64))


def _kept(xyxy: Float32, class_id: Int64, iou: float) -> Int64:
    """Indices that survive; boxes come best first, so their ranks stand for the scores, which OpenCV wants above zero."""
    low = xyxy.min()
    span = float(xyxy.max() - low) + 1.0
    boxes = np.empty((len(xyxy), 4), np.float64)
    boxes[:, :2] = xyxy[:, :2] - low + class_id[:, None] * span
    boxes[:, 2:] = xyxy[:, 2:] - xyxy[:, :2]
    ranks = np.arange(len(xyxy), 0, -1, dtype=np.float32)
    return np.asarray(cv2.dnn.NMSBoxes(boxes, ranks, 0.0, iou), np.int64).reshape(-1)  # type: ignore[arg-type]
