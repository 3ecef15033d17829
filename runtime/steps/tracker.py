"""Identities and the way that each one took."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.runtime.steps.shapes import Anchor, anchors
from edgecnn.runtime.tracking import ByteTrack, TrackOptions
from edgecnn.types import Detections, Float32, Result

TRAIL = 48


class Tracker:
    """Gives boxes their ``track_id``, drops those that belong to no track, and adds ``trails`` of the tracks seen in the frame.

    A trail has the last ``trail`` places of a track. A picture of another size begins anew: boxes no longer compare.
    """

    stage = "track"

    def __init__(
        self, options: TrackOptions | None = None, *, clock: Clock = captured, trail: int = TRAIL, anchor: Anchor = "bottom"
    ) -> None:
        self._tracker = ByteTrack(options)
        self._clock, self._length, self._anchor = clock, trail, anchor
        self._places: dict[int, deque[Float32]] = {}
        self._size: tuple[int, ...] = ()

    def __call__(self, result: Result) -> Result:
        """The result with identities; a classifier's stays as it is."""
        if not isinstance(result.prediction, Detections):
            return result
        if result.frame.image.shape[:2] != self._size:
            self._tracker.clear()
            self._size = result.frame.image.shape[:2]
        found = self._tracker.update(result.prediction, result.frame.index, self._clock(result.frame))
        return replace(result, prediction=found, trails=self._trails(found))

    def _trails(self, found: Detections) -> Mapping[int, Float32]:
        alive = set(self._tracker.alive.tolist())
        self._places = {track: places for track, places in self._places.items() if track in alive}
        tracks = [] if found.track_id is None else found.track_id.tolist()
        for track, place in zip(tracks, anchors(found.xyxy, self._anchor), strict=True):
            self._places.setdefault(track, deque(maxlen=self._length)).append(place)
        return {track: np.array(self._places[track], np.float32) for track in tracks}
