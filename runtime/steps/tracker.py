"""Assigns track ids to boxes and records the trails of tracks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.runtime.steps.shapes import Anchor, anchors
from edgecnn.runtime.tracking import ByteTrack, TrackOptions
from edgecnn.types import Detections, Float32, Result

TRAIL_POINTS = 48


class Tracker:
    """Sets ``track_id`` of the boxes, drops boxes without a track, and adds ``trails`` of the tracks seen in the frame.

    A trail holds the last ``trail`` anchor points (n, 2) of a track in pixels. All tracks end when the frame size changes,
    because the boxes before and after it are not comparable. The first boxes raise ``MissingExtraError`` if lapx is not
    installed.
    """

    stage = "track"

    def __init__(
        self,
        options: TrackOptions | None = None,
        *,
        clock: Clock = captured,
        trail: int = TRAIL_POINTS,
        anchor: Anchor = "bottom",
    ) -> None:
        self._tracker = ByteTrack(options)
        self._clock, self._length, self._anchor = clock, trail, anchor
        self._places: dict[int, deque[Float32]] = {}
        self._size: tuple[int, ...] = ()

    def __call__(self, result: Result) -> Result:
        """Return the result with track ids; predictions other than boxes are returned unchanged."""
        if not isinstance(result.prediction, Detections):
            return result
        if result.frame.image.shape[:2] != self._size:
            self._tracker.clear()
            self._size = result.frame.image.shape[:2]
        found = self._tracker.update(result.prediction, self._clock(result.frame))
        return replace(result, prediction=found, trails=self._trails(found))

    def _trails(self, found: Detections) -> Mapping[int, Float32]:
        alive = set(self._tracker.alive.tolist())
        # A track without a detection in this frame keeps its trail until it ends.
        self._places = {track: places for track, places in self._places.items() if track in alive}
        tracks = [] if found.track_id is None else found.track_id.tolist()
        for track, place in zip(tracks, anchors(found.xyxy, self._anchor), strict=True):
            # A deque drops the oldest point when the trail is full.
            self._places.setdefault(track, deque(maxlen=self._length)).append(place)
        return {track: np.array(self._places[track], np.float32) for track in tracks}
