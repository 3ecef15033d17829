"""Converts ``Detections`` to and from ``supervision.Detections`` (https://supervision.roboflow.com)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecnn.errors import InputError
from edgecnn.rotated import corners
from edgecnn.types import Detections


def to_supervision(found: Detections, labels: Sequence[str] = ()) -> Any:
    """Convert ``found`` to ``supervision.Detections``; with ``labels``, ``data["class_name"]`` holds the class names.

    Raises ``InputError`` if supervision is not installed.
    """
    try:
        from supervision import Detections as Theirs
    except ImportError as error:
        raise InputError("supervision is not installed", "run: pip install supervision") from error
    names = {"class_name": np.array([labels[index] for index in found.class_id])} if len(labels) else {}
    if found.xywhr is not None:
        names["xyxyxyxy"] = corners(found.xywhr)  # supervision's name for the corners of rotated boxes
    return Theirs(
        xyxy=found.xyxy.copy(),
        confidence=found.score.copy(),
        class_id=found.class_id.astype(int),
        tracker_id=None if found.track_id is None else found.track_id.astype(int),
        data=names,
    )


def from_supervision(found: Any) -> Detections:
    """Convert ``supervision.Detections`` to ``Detections``; a missing score becomes 1 and a missing class 0."""
    count = len(found)
    score = np.ones(count) if found.confidence is None else found.confidence
    class_id = np.zeros(count) if found.class_id is None else found.class_id
    # supervision uses float64 and platform-dependent integers in some of its own converters, so every array gets our dtype.
    return Detections(
        np.asarray(found.xyxy, np.float32).reshape(-1, 4),
        np.asarray(score, np.float32),
        np.asarray(class_id, np.int64),
        None if found.tracker_id is None else np.asarray(found.tracker_id, np.int64),
    )
