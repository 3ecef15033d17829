"""Results for tests of the steps: one box, in a result that has an event and an overlay already."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from edgecnn.types import Detections, Event, Frame, Overlay, Prediction, Result

LABELS = ("person", "car")
IMAGE = np.zeros((200, 400, 3), np.uint8)
EARLIER = Event("earlier", 0.0, "door", {})
BELOW = Overlay("below", ((0, 0), (1, 1)), False, {})


def result(prediction: Prediction, index: int = 0, at: float | None = None) -> Result:
    frame = Frame(index, index / 10 if at is None else at, IMAGE)
    return Result(frame, prediction, {}, 0.0, camera="door", events=(EARLIER,), overlays=(BELOW,))


def box(x: float, y: float, track: int = 1, *, class_id: int = 0, score: float = 0.9, height: float = 40) -> Detections:
    """One box whose lower edge has its middle at x, y."""
    xyxy = np.float32([[x - 10, y - height, x + 10, y]])
    return Detections(xyxy, np.float32([score]), np.array([class_id]), np.array([track]))


def new_events(found: Result) -> list[dict[str, object]]:
    """The events behind the one that was there before; events compare by identity."""
    assert found.events[0] is EARLIER
    return [asdict(event) for event in found.events[1:]]


def new_overlays(found: Result) -> list[dict[str, object]]:
    """The overlays behind the one that was there before."""
    assert found.overlays[0] is BELOW
    return [asdict(overlay) for overlay in found.overlays[1:]]


def detections(found: Result) -> Detections:
    assert isinstance(found.prediction, Detections)
    return found.prediction
