"""Decides, window by window, whether a stream is still what its model knows, and when that began or ended.

Two questions are asked of each measure, each with a cumulative sum (Page 1954):

- Is it outside of the reference? A camera shows one place for hours, so all its frames together may count as a single draw from the
  reference: an average of many frames proves nothing that one image would not. Therefore only what lies beyond the range of *single*
  reference images counts, corrected for the number of measures (Bonferroni) and for the size of the reference.
- Did it move from what this camera showed before to the edge of the reference? That is judged by the camera's own variation, see
  ``OwnPast``. A change within the range of the reference, such as evening where the reference has evenings, is no drift.

A sum grows by a limited amount in each window, so neither a passing truck nor a hand before the lens is enough; a measure is normal
again after half a minute well inside its limits.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from statistics import NormalDist

from edgecnn.reference_profile.measure_range import MeasureRange
from edgecnn.reference_profile.profile import Description, ReferenceProfile
from edgecnn.trust.drift.cusum import Cusum
from edgecnn.trust.drift.findings import VIEW, DriftFinding
from edgecnn.trust.drift.own_past import HELD_WINDOWS, MOST_STEP, OwnPast, Usual
from edgecnn.trust.drift.view import UsualView
from edgecnn.trust.drift.windows import Window

_FALSE_CAMERAS = 0.02  # share of unchanged cameras that may lie outside, over all measures
_OUTSIDE_STEP, _OUTSIDE_LIMIT = 1.5, 5.0  # of the sum: at least four windows
_INSIDE_MARGIN = 0.6  # below what is allowed, before a measure is inside again
_EDGE = 2.0  # deviations that a camera may differ from others of the reference, before a change counts
_LEAST_CHANGE = 1.0  # in positions
_LEAST_VIEW, _VIEW_CHANGE = 2.8, 2.0  # a view that fits less well on average is not that of a fixed camera
_CALM_WINDOWS = 6
_MISSING_WINDOWS = 12  # without a value, until a measure counts as normal: a camera that sees nothing gives no scores
_LEVEL_WINDOWS = 4


@dataclass(slots=True)
class _Tracked:
    """The state of one measure; ``home`` and ``level`` are its positions before and after a change against the past."""

    outside: Cusum = field(default_factory=lambda: Cusum(_OUTSIDE_STEP))
    past: Cusum = field(default_factory=lambda: Cusum(MOST_STEP))
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_LEVEL_WINDOWS))  # positions, values
    deviations: deque[float] = field(default_factory=lambda: deque(maxlen=HELD_WINDOWS))
    finding: DriftFinding | None = None
    home: float = 0.0
    level: float = 0.0
    calm: int = 0

    def mean(self) -> tuple[float, float]:
        positions, values = zip(*self.recent, strict=True)
        return sum(positions) / len(positions), sum(values) / len(values)

    def left(self, usual: Usual) -> bool:
        """Whether the windows are farther from the camera's past than chance makes them, in their sum or several in a row."""
        last = self.deviations
        held = max(min(last), -max(last)) if len(last) == HELD_WINDOWS else 0.0
        return self.past.largest >= usual.limit or held >= usual.held


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """What one window changed: the findings that are ``new``, and whether the stream is normal again with it (``over``)."""

    new: tuple[DriftFinding, ...] = ()
    over: bool = False


class DriftMonitor:
    """Judges the windows of one camera; ``findings`` are the measures that are out of what is usual now, the farthest first."""

    def __init__(self, profile: ReferenceProfile, *, seed: int = 0) -> None:
        self.profile = profile
        self.allowed = allowed_position(len(profile.ranges), profile.independent)
        self._tracked = {name: _Tracked() for name in (*profile.ranges, VIEW)}
        self._past, self._view = OwnPast(seed), UsualView(profile.thumbnail)
        self.positions: dict[str, float] = {}

    @property
    def findings(self) -> tuple[DriftFinding, ...]:
        """The measures that are out of what is usual."""
        found = [one.finding for one in self._tracked.values() if one.finding is not None]
        return tuple(sorted(found, key=lambda one: -abs(one.deviations)))

    def shows(self, frame: Description) -> bool:
        """Whether a single frame shows something of what is found: when a drift ends, frames are normal before it is known."""
        known = {
            name: measure.position(frame.values[name]) for name, measure in self.profile.ranges.items() if name in frame.values
        }
        view = self._view.position(frame.thumbnail)
        positions = known if view is None else {**known, VIEW: view}
        found = [(one, positions[name]) for name, one in self._tracked.items() if one.finding is not None and name in positions]
        return not found or any(not self._is_inside(one, position) for one, position in found)

    def add(self, window: Window) -> DriftVerdict:
        """Judge a window."""
        drifted = bool(self.findings)
        self.positions = dict(window.positions)
        view = self._view.position(window.thumbnail)
        if view is not None:
            self.positions[VIEW] = view
        new = [found for name in self._tracked if (found := self._judge(name, window)) is not None]
        if new:
            self._past.forget_recent()
        if not self.findings:
            self._past.add(self.positions)
            if self._tracked[VIEW].past.largest < 1:
                self._view.add(window.thumbnail)
        return DriftVerdict(tuple(sorted(new, key=lambda one: -abs(one.deviations))), drifted and not self.findings)

    def _judge(self, name: str, window: Window) -> DriftFinding | None:
        """Take one measure of a window; a finding where it leaves what is usual with it."""
        tracked, position = self._tracked[name], self.positions.get(name)
        if position is None:
            self._count_calm(tracked, calm=True, needed=_MISSING_WINDOWS)
            return None
        tracked.recent.append((position, window.values.get(name, math.nan)))
        usual = self._past.usual(name)
        if tracked.finding is not None:
            self._follow(tracked, position)
            return None
        if name != VIEW:
            tracked.outside.add(position, self.allowed, window.began)
        if usual is not None:
            deviation = (position - usual.mean) / usual.deviation
            tracked.past.add(deviation, usual.allowed, window.began)
            tracked.deviations.append(deviation)
        tracked.finding = self._found(name, tracked, usual)
        tracked.calm = 0
        return tracked.finding

    def _found(self, name: str, tracked: _Tracked, usual: Usual | None) -> DriftFinding | None:
        level, value = tracked.mean()
        if tracked.outside.largest >= _OUTSIDE_LIMIT:
            low, high = self.profile.ranges[name].usual
            since = tracked.outside.since
            return DriftFinding(name, "reference", since, value, low, high, level, self.profile.source)
        if usual is None or not tracked.left(usual) or not _is_change(name, level, usual):
            return None
        tracked.home, tracked.level = usual.mean, level
        low, high = self._usual_values(name, usual)
        deviations = (level - usual.mean) / usual.deviation
        return DriftFinding(name, "past", tracked.past.since, value, low, high, deviations, self.profile.source)

    def _usual_values(self, name: str, usual: Usual) -> tuple[float, float]:
        """The values of a measure within two deviations of the usual windows."""
        if name == VIEW:
            return math.nan, math.nan
        measure = self.profile.ranges[name]
        return value_at(measure, usual.mean - 2 * usual.deviation), value_at(measure, usual.mean + 2 * usual.deviation)

    def _follow(self, tracked: _Tracked, position: float) -> None:
        """Whether a measure that left is back; its finding tells the value of now."""
        assert tracked.finding is not None
        _, value = tracked.mean()
        tracked.finding = replace(tracked.finding, value=value)
        self._count_calm(tracked, calm=self._is_inside(tracked, position), needed=_CALM_WINDOWS)

    def _is_inside(self, tracked: _Tracked, position: float) -> bool:
        """Whether a position of a measure that left is one of those before."""
        if tracked.finding is not None and tracked.finding.against == "reference":
            return abs(position) < self.allowed - _INSIDE_MARGIN
        return abs(position - tracked.home) < abs(tracked.level - tracked.home) / 2

    def _count_calm(self, tracked: _Tracked, *, calm: bool, needed: int) -> None:
        tracked.calm = tracked.calm + 1 if calm else 0
        if tracked.finding is not None and tracked.calm >= needed:
            tracked.finding = None
            tracked.outside.reset()
            tracked.past.reset()
            tracked.deviations.clear()


def allowed_position(measures: int, independent: float) -> float:
    """The position up to which a camera is inside a reference of ``independent`` images with that many measures."""
    chance = _FALSE_CAMERAS / (2 * max(measures, 1))
    return NormalDist().inv_cdf(1 - chance) * (1 + 1 / math.sqrt(max(independent, 1.0)))


def _is_change(name: str, level: float, usual: Usual) -> bool:
    """Whether a measure is at the edge of where the reference has cameras, and was not before.

    The images of a reference (of variance 1) differ between cameras and within each. Where a minute of this one varies like the whole
    reference, because it sees another place every few seconds, little is left between such cameras: their means are alike.
    """
    if name == VIEW:
        return usual.mean >= _LEAST_VIEW and usual.mean - level >= _VIEW_CHANGE
    edge = _EDGE * math.sqrt(max(1 - usual.within, 0.0))
    return abs(level) >= edge and abs(level) > abs(usual.mean) and abs(level - usual.mean) >= _LEAST_CHANGE


def value_at(measure: MeasureRange, position: float) -> float:
    """The value of a measure at a position, within the range of the reference and beyond."""
    low, high = measure.values[0], measure.values[-1]
    for _ in range(30):  # bisection: positions rise with values
        middle = (low + high) / 2
        low, high = (middle, high) if measure.position(middle) < position else (low, middle)
    return (low + high) / 2
