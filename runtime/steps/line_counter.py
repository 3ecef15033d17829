"""Counts tracks that cross a line, in each direction."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edgecnn.labels import label_of
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.runtime.steps.shapes import Anchor, Shape, anchors, check_length, parse_shape
from edgecnn.types import Detections, Event, Overlay, Result

Way = Literal["in", "out"]
Point = tuple[float, float]
WAYS: tuple[Way, Way] = ("in", "out")


@dataclass(slots=True)
class _Crossing:
    """State of a track at a line: last position, last confirmed side, whether it passed between the ends since then."""

    place: Point | None = None
    side: bool = False
    through: bool = False
    counted: set[Way] = field(default_factory=set)


@dataclass(slots=True)
class _Line:
    shape: Shape
    crossings: PerTrack[_Crossing] = field(default_factory=lambda: PerTrack(_Crossing))
    counts: dict[Way, Counter[str]] = field(default_factory=lambda: {way: Counter() for way in WAYS})


class LineCounter:
    """Counts each track that crosses a line, once per direction.

    For a line drawn from left to right, the direction "in" is downwards. The anchor of a box must pass between the ends of the
    line and then move ``hysteresis`` times the height of the box beyond it, so that an object that stands on the line and jitters
    counts once. Each crossing is an Event "line-crossed" with line, way ("in", "out"), track_id, label and frame. Needs a
    ``Tracker`` before it.
    """

    stage = "count"

    def __init__(
        self, shapes: Sequence[Shape], labels: Sequence[str], *, anchor: Anchor = "bottom", hysteresis: float = 0.05
    ) -> None:
        self._lines = [_Line(shape) for shape in shapes]
        self._labels, self._anchor, self._hysteresis = labels, anchor, hysteresis

    @property
    def counts(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Counts by line, direction and class; can be read from any thread."""
        return {line.shape.name: _copy(line) for line in self._lines}

    def __call__(self, result: Result) -> Result:
        """Return the result with an event for each crossing, and the lines with their counts as overlays."""
        height, width = result.frame.image.shape[:2]
        events, overlays = [], []
        for line in self._lines:
            points = line.shape.in_pixels(width, height)
            events += self._crossings(line, points, result)
            overlays.append(Overlay(line.shape.name, points, False, _copy(line)))
        return replace(result, events=(*result.events, *events), overlays=(*result.overlays, *overlays))

    def _crossings(self, line: _Line, points: Sequence[Point], result: Result) -> list[Event]:
        found = result.prediction
        if not isinstance(found, Detections) or found.track_id is None:
            return []
        events = []
        # The margin is relative to the height of the box: jitter grows with the size of the object in the image.
        for row, place in enumerate(anchors(found.xyxy, self._anchor).tolist()):
            track, margin = int(found.track_id[row]), self._hysteresis * float(found.xyxy[row, 3] - found.xyxy[row, 1])
            way = _step(line.crossings[track], (place[0], place[1]), (points[0], points[-1]), margin)
            if way is not None:
                label = label_of(self._labels, int(found.class_id[row]))
                line.counts[way][label] += 1
                details = {"line": line.shape.name, "way": way, "track_id": track, "label": label, "frame": result.frame.index}
                events.append(Event("line-crossed", result.frame.captured_at, result.camera, details))
        return events


def parse_line(text: str) -> Shape:
    """Parse ``NAME:x1,y1,x2,y2``. Raises ``InputError`` for any other text."""
    return check_length(parse_shape(text, "line", least=2, most=2), "line")


def _copy(line: _Line) -> dict[str, dict[str, int]]:
    return {way: dict(count) for way, count in line.counts.items()}


def _step(state: _Crossing, place: Point, ends: tuple[Point, Point], margin: float) -> Way | None:
    """Update the state with the position ``place`` and return the direction to count now, None for none."""
    before, state.place = state.place, place
    distance = _distance(place, ends)
    side = distance >= 0
    if before is None:
        state.side = side
        return None
    if (_distance(before, ends) >= 0) != side:
        # through between the ends an odd number of times; a way around an end toggles nothing
        state.through ^= _between(before, place, ends)
    if side == state.side:
        if abs(distance) >= margin:
            state.through = False  # clearly back on the old side: not crossed
        return None
    # Over the line, but within the hysteresis: wait until the track is clearly on this side.
    if abs(distance) < margin:
        return None
    through, state.side, state.through = state.through, side, False
    way: Way = "in" if side else "out"
    if not through or way in state.counted:
        return None
    state.counted.add(way)
    return way


def _distance(place: Point, ends: tuple[Point, Point]) -> float:
    """Return the signed distance in pixels from the infinite line; positive below a line drawn from left to right."""
    (ax, ay), (bx, by) = ends
    length = math.hypot(bx - ax, by - ay)
    return ((bx - ax) * (place[1] - ay) - (by - ay) * (place[0] - ax)) / length


def _between(old: Point, new: Point, ends: tuple[Point, Point]) -> bool:
    """Return whether the segment from ``old`` to ``new``, which are on different sides, crosses between the ends of the line."""
    d_old, d_new = _distance(old, ends), _distance(new, ends)
    # d_old and d_new have different signs, so the denominator can't be zero.
    share = d_old / (d_old - d_new)
    x, y = old[0] + share * (new[0] - old[0]), old[1] + share * (new[1] - old[1])
    (ax, ay), (bx, by) = ends
    along = (x - ax) * (bx - ax) + (y - ay) * (by - ay)
    return 0 <= along <= (bx - ax) ** 2 + (by - ay) ** 2
