"""Accuracy metrics without torch: top-1, confusion matrix, mAP, regression errors, matching of boxes."""

from __future__ import annotations

from edgecnn.metrics.classification import calibration_error, confusion_matrix, wilson
from edgecnn.metrics.classmap import ClassMap, match_labels
from edgecnn.metrics.match import Matches, iou_matrix, match
from edgecnn.metrics.score import Score

__all__ = [
    "ClassMap",
    "Matches",
    "Score",
    "calibration_error",
    "confusion_matrix",
    "iou_matrix",
    "match",
    "match_labels",
    "wilson",
]
