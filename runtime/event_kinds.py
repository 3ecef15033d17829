"""The kinds of events of a run: what happens to cameras, and what analytics counts. No NumPy: options are checked against them."""

from __future__ import annotations

CAMERA_EVENTS = (
    "camera-lost",
    "camera-back",
    "camera-stalled",
    "camera-frozen",
    "camera-failed",
    "size-changed",
    "inference-failed",
    "late",
)
ANALYTICS_EVENTS = ("line-crossed", "zone-entered", "zone-left", "class-changed")
DRIFT_EVENTS = ("drift-learnt", "drift-started", "drift-changed", "drift-ended")
EVENT_KINDS = (*ANALYTICS_EVENTS, *DRIFT_EVENTS, *CAMERA_EVENTS)
