"""Non-maximum suppression (NMS): greedy, per class or for all classes together, with OpenCV's implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edgecnn.rotated import enclosing, probabilistic_overlap, regular
from edgecnn.thresholds import MAX_DETECTIONS, NMS_IOU, NMS_SCORE
from edgecnn.types import Detections, Float32, Int64

MAX_CANDIDATES = 1000  # NMS takes quadratic time in the number of boxes


@dataclass(frozen=True, slots=True)
class NmsOptions:
    """Thresholds of NMS: lowest score, highest IoU with a better box of the same class, and the number of boxes kept per image.

    ``class_agnostic``: a better box of any class counts.
    """

    score_threshold: float = NMS_SCORE
    iou_threshold: float = NMS_IOU
    max_detections: int = MAX_DETECTIONS
    class_agnostic: bool = False

    @classmethod
    def from_card(cls, options: Mapping[str, Any]) -> NmsOptions:
        """The thresholds in the decode options of a model card; the defaults for those that are not given."""
        return cls(
            float(options.get("score_threshold", NMS_SCORE)),
            float(options.get("iou_threshold", NMS_IOU)),
            int(options.get("max_detections", MAX_DETECTIONS)),
            bool(options.get("class_agnostic", False)),
        )

    def rivals(self, class_id: Int64) -> Int64:
        """A number for each box (n,) of a class: boxes with the same one suppress each other."""
        return np.zeros_like(class_id) if self.class_agnostic else class_id


def best_class(scores: Float32, threshold: float) -> tuple[Int64, Int64, Float32]:
    """The best class of each row of ``scores`` (n, C) that reaches ``threshold``: row indices, class ids, scores."""
    kept = _rows_above(scores, threshold)
    chosen = scores[kept]
    class_id = chosen.argmax(axis=1)
    return kept, class_id, chosen[np.arange(len(kept)), class_id]


def _rows_above(scores: Float32, threshold: float) -> Int64:
    """Indices of the rows with a score of at least ``threshold``.

    NumPy's maximum over short rows is slow: one search through the flat array is several times faster.
    """
    if not scores.flags.c_contiguous:  # flattening would copy
        return np.flatnonzero(scores.max(axis=1) >= threshold)
    rows: Int64 = np.flatnonzero(scores >= threshold) // scores.shape[1]
    first: Int64 = np.flatnonzero(np.diff(rows, prepend=-1))
    return rows[first]


def top_scores(score: Float32, count: int = MAX_CANDIDATES) -> Int64:
    """Indices of the ``count`` highest scores, highest first; equal scores keep their order."""
    if len(score) > count:
        # argpartition is linear but unordered: sorting the indices first keeps ties in input order
        top = np.sort(np.argpartition(-score, count - 1)[:count])
        return top[np.argsort(-score[top], kind="stable")]
    return np.argsort(-score, kind="stable")


def suppress(xyxy: Float32, score: Float32, class_id: Int64, options: NmsOptions) -> Detections:
    """NMS: at most ``options.max_detections`` boxes, highest score first.

    Boxes that are not finite are dropped; only the 1000 candidates with the highest scores take part.
    """
    finite = np.isfinite(xyxy).all(axis=1)
    if not finite.all():
        xyxy, score, class_id = xyxy[finite], score[finite], class_id[finite]
    order = top_scores(score)
    xyxy, score, class_id = xyxy[order], score[order], class_id[order]
    if len(order) > 1:
        # A weaker box never removes a stronger one, so the strongest boxes alone give the same result where they are enough.
        head, rival = 2 * options.max_detections, options.rivals(class_id)
        kept = _kept(xyxy[:head], rival[:head], options.iou_threshold)
        if len(kept) < options.max_detections and head < len(xyxy):
            kept = _kept(xyxy, rival, options.iou_threshold)
        kept = kept[: options.max_detections]
        xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]
    return Detections(np.ascontiguousarray(xyxy, np.float32), score.astype(np.float32), class_id.astype(np.int64))


def suppress_rotated(boxes: Float32, score: Float32, class_id: Int64, options: NmsOptions) -> Detections:
    """Greedy NMS of rotated boxes (n, 5), as in ``edgecnn.rotated``, per class by their probabilistic IoU; otherwise as ``suppress``."""
    order = top_scores(score)
    order = order[np.isfinite(boxes[order]).all(axis=1)]
    ordered = boxes[order]
    rival = options.rivals(class_id[order])
    same = rival[:, None] == rival[None]
    close = same & (probabilistic_overlap(ordered, ordered) >= options.iou_threshold)
    kept: list[int] = []
    for place in range(len(order)):
        if len(kept) < options.max_detections and not close[place, kept].any():
            kept.append(place)
    chosen, ordered = order[kept], regular(ordered[kept])
    return Detections(enclosing(ordered), score[chosen].astype(np.float32), class_id[chosen].astype(np.int64), xywhr=ordered)


def kept_boxes(xyxy: Float32, score: Float32, options: NmsOptions) -> Int64:
    """NMS of boxes (n, 4) of one class: the indices of those that stay, highest score first."""
    order = top_scores(score)
    order = order[np.isfinite(xyxy[order]).all(axis=1)]
    if len(order) > 1:
        order = order[_kept(xyxy[order], np.zeros(len(order), np.int64), options.iou_threshold)]
    return order[: options.max_detections]


def _kept(xyxy: Float32, class_id: Int64, iou: float) -> Int64:
    """Indices that survive NMS; boxes come best first, so ranks replace the scores, because OpenCV ignores scores of zero."""
    # Each class is moved to its own region of the plane, so that boxes of different classes never overlap.
    low = xyxy.min()
    span = float(xyxy.max() - low) + 1.0
    boxes = np.empty((len(xyxy), 4), np.float64)
    boxes[:, :2] = xyxy[:, :2] - low + class_id[:, None] * span
    boxes[:, 2:] = xyxy[:, 2:] - xyxy[:, :2]
    ranks = np.arange(len(xyxy), 0, -1, dtype=np.float32)
    return np.asarray(cv2.dnn.NMSBoxes(boxes, ranks, 0.0, iou), np.int64).reshape(-1)  # type: ignore[arg-type]
