"""Score and overlap thresholds of detectors, for every part of the project that needs one.

Scores are 0..1; overlaps are intersection over union (IoU), 0..1. The thresholds of a trained detector are in its model card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DECODE_OPTIONS = ("score_threshold", "iou_threshold", "max_detections", "label_threshold", "class_agnostic")
"""Names of the thresholds, and of how NMS treats classes, in the decode options of a card and in the options of a command."""

# Where a card names none.
NMS_SCORE: Final = 0.25
NMS_IOU: Final = 0.6
MAX_DETECTIONS: Final = 100

# Multi-label classification: a label from this score on applies, where a card names no other.
LABEL_SCORE: Final = 0.5

# Live: boxes from this score on are shown and written. Cards keep weaker ones, which only evaluation needs.
SHOWN_SCORE: Final = 0.3

# Tracking (ByteTrack, Zhang et al. 2022): weaker boxes continue a track but are not shown; one must be stronger than shown by the
# margin to begin a track.
WEAK_TRACK_SCORE: Final = 0.1
NEW_TRACK_MARGIN: Final = 0.1

# Evaluation: mAP is the area under the whole precision-recall curve, which a threshold for daily use would cut.
EVALUATION_SCORE: Final = 0.001
EVALUATION: Mapping[str, Any] = {"score_threshold": EVALUATION_SCORE, "max_detections": MAX_DETECTIONS}

# Gallery: an image less similar (cosine) than this to all of them is unknown, where neither command nor card say otherwise.
MATCH_SIMILARITY: Final = 0.5
