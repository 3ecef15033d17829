"""Counts tracks inside, entering and leaving a polygon, and measures their dwell time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from edgecnn.labels import label_of
from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.runtime.steps.shapes import Anchor, Shape, anchors, check_length, parse_shape
from edgecnn.types import Detections, Event, Overlay, Result


@dataclass(slots=True)
class _Stay:
    """A track inside a zone: time of entry and time last seen, in seconds, and its label."""

    since: float
    seen_at: float
    label: str


@dataclass(slots=True)
class _Zone:
    shape: Shape
    inside: dict[int, _Stay] = field(default_factory=dict)
    entered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    known: PerTrack[list[str]] = field(default_factory=lambda: PerTrack(list))


class ZoneCounter:
    """Counts tracks whose box anchor is inside a polygon; Events "zone-entered" and "zone-left", the latter with ``dwell_s`` in seconds.

    A track leaves when its anchor is ``hysteresis`` times the height of the box outside, or when it was not seen for
    ``lost_after_s`` seconds; in that case the dwell time ends when it was last seen. Each track counts once as entered and once
    as left, even if it returns, but each stay has its own events. Needs a ``Tracker`` before it.
    """

    stage = "count"

    def __init__(
        self,
        shapes: Sequence[Shape],
        labels: Sequence[str],
        *,
        anchor: Anchor = "bottom",
        hysteresis: float = 0.05,
        lost_after_s: float = 1.0,
        clock: Clock = captured,
    ) -> None:
        self._zones = [_Zone(shape) for shape in shapes]
        self._labels, self._anchor, self._hysteresis = labels, anchor, hysteresis
        self._lost_after_s, self._clock = lost_after_s, clock

    @property
    def counts(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Counts by zone, by "inside", "entered" or "left", and by class; can be read from any thread."""
        return {zone.shape.name: _copy(zone) for zone in self._zones}

    def __call__(self, result: Result) -> Result:
        """Return the result with the events of the zones, and the zones with their counts as overlays."""
        height, width = result.frame.image.shape[:2]
        events, overlays = [], []
        for zone in self._zones:
            points = zone.shape.in_pixels(width, height)
            events += self._update(zone, np.array(points, np.float32), result)
            overlays.append(Overlay(zone.shape.name, points, True, _copy(zone)))
        return replace(result, events=(*result.events, *events), overlays=(*result.overlays, *overlays))

    def _update(self, zone: _Zone, polygon: np.ndarray, result: Result) -> list[Event]:
        now, found, events = self._clock(result.frame), result.prediction, []
        if isinstance(found, Detections) and found.track_id is not None:
            for row, place in enumerate(anchors(found.xyxy, self._anchor).tolist()):
                # Relative to the height of the box, because jitter grows with the size of the object in the image.
                margin = self._hysteresis * float(found.xyxy[row, 3] - found.xyxy[row, 1])
                # True: the signed distance to the nearest edge in pixels, positive inside, instead of the sign alone.
                depth = cv2.pointPolygonTest(polygon, place, True)
                label = label_of(self._labels, int(found.class_id[row]))
                events += self._observe(zone, int(found.track_id[row]), depth, margin, label, now, result)
        for track, stay in list(zone.inside.items()):
            if now - stay.seen_at > self._lost_after_s:
                events.append(self._leave(zone, track, stay.seen_at, result))
        return events

    def _observe(
        self, zone: _Zone, track: int, depth: float, margin: float, label: str, now: float, result: Result
    ) -> list[Event]:
        """Update a zone with a track ``depth`` pixels inside of it (negative: outside) and return the events."""
        stay = zone.inside.get(track)
        if stay is None:
            if depth < 0:
                return []
            zone.inside[track] = _Stay(now, now, label)
            _count_once(zone, track, "entered", label)
            return [self._event("zone-entered", zone, track, label, result)]
        stay.label = label
        if depth < -margin:
            return [self._leave(zone, track, now, result)]
        stay.seen_at = now
        return []

    def _leave(self, zone: _Zone, track: int, at: float, result: Result) -> Event:
        stay = zone.inside.pop(track)
        _count_once(zone, track, "left", stay.label)
        return self._event("zone-left", zone, track, stay.label, result, dwell_s=round(at - stay.since, 3))

    @staticmethod
    def _event(kind: str, zone: _Zone, track: int, label: str, result: Result, **more: float) -> Event:
        details = {"zone": zone.shape.name, "track_id": track, "label": label, "frame": result.frame.index, **more}
        return Event(kind, result.frame.captured_at, result.camera, details)


def parse_zone(text: str) -> Shape:
    """Parse ``NAME:x1,y1,x2,y2,x3,y3,...``. Raises ``InputError`` for any other text."""
    return check_length(parse_shape(text, "zone", least=3), "zone")


def _count_once(zone: _Zone, track: int, what: str, label: str) -> None:
    known = zone.known[track]
    if what not in known:
        known.append(what)
        (zone.entered if what == "entered" else zone.left)[label] += 1


def _copy(zone: _Zone) -> dict[str, dict[str, int]]:
    # list() copies in one step, since other threads read the counts while this one adds and removes tracks.
    inside = Counter(stay.label for stay in list(zone.inside.values()))
    return {"inside": dict(inside), "entered": dict(zone.entered), "left": dict(zone.left)}
