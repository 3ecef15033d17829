"""The findings of a matched pair of files: latency by clock, throughput, start, size, memory, accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edgecnn.benchmarks.compare.finding import Direction, Finding, PointsInterval
from edgecnn.benchmarks.compare.interval import CONFIDENCE, WIDEST, RatioInterval, t_quantile
from edgecnn.benchmarks.compare.matching import Match
from edgecnn.benchmarks.compare.record_file import MeasuredClock
from edgecnn.metrics.score import TITLES, points
from edgecnn.types import nearest_rank

RatioOf = Callable[[MeasuredClock, MeasuredClock], RatioInterval | None]
STORED_CONFIDENCE = 0.95  # of the intervals of an accuracy in a record
# A peak of memory varies with the allocator's pages from one process to the next.
MEMORY_MARGIN = 0.05


def pair_findings(match: Match, ratio_of: RatioOf) -> Iterator[Finding]:
    """All findings of two files; ``ratio_of`` gives the ratio of two measurements of one clock."""
    a, b = match.before, match.after
    for clock in (clock for clock in a.clocks if clock in b.clocks):
        before, after = a.clocks[clock], b.clocks[clock]
        change = ratio_of(before, after)
        yield latency_finding(match.name, f"{clock} p50", before.percentile(50), after.percentile(50), change)
    for name in (name for name in a.throughput_fps if name in b.throughput_fps):
        yield plain(match.name, "throughput", f"{name} throughput", "frames/s", a.throughput_fps[name], b.throughput_fps[name])
    yield plain(match.name, "start", "cold start", "ms", *(nearest_rank(own.cold_starts_ms, 50) for own in (a, b)))
    yield exact(match.name, "size", "file size", "MB", a.size_bytes / 1e6, b.size_bytes / 1e6, 0.0)
    yield exact(match.name, "memory", "peak memory", "MiB", a.memory_mib, b.memory_mib, MEMORY_MARGIN)
    if a.accuracy is not None and b.accuracy is not None:
        yield from accuracy_findings(match.name, a.accuracy, b.accuracy)


def latency_finding(file: str, title: str, before: float, after: float, change: RatioInterval | None) -> Finding:
    """Milliseconds before and after; ``change`` None: too little was measured."""
    return Finding(file, "latency", title, "ms", before, after, change, ratio_direction(change))


def ratio_direction(change: RatioInterval | None) -> Direction:
    """What a ratio shows of a quantity of which less is better."""
    if change is None or (not change.shown and change.reach > WIDEST):
        return "unknown"
    return "none" if not change.shown else "worse" if change.value > 1 else "better"


def plain(file: str, kind: str, title: str, unit: str, before: float, after: float) -> Finding:
    """A quantity that is shown without a verdict, because the record holds too few values of it."""
    return Finding(file, kind, title, unit, before, after, None, "unknown")


def exact(file: str, kind: str, title: str, unit: str, before: float, after: float, margin: float) -> Finding:
    """A quantity without noise beyond ``margin``, a share: less is better."""
    ratio = after / before
    change = RatioInterval(ratio, ratio / (1 + margin), ratio * (1 + margin))
    return Finding(file, kind, title, unit, before, after, change, ratio_direction(change))


def accuracy_findings(file: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    """The primary metric of two accuracies of one dataset."""
    key = _primary(before)
    if key is None or key != _primary(after):
        return
    title = TITLES[key]
    a, b = points(title, before["primary"]), points(title, after["primary"])
    change = _difference(key, before["values"], after["values"])
    shown = change.low is not None and change.high is not None and not change.low <= 0 <= change.high
    direction: Direction = "none" if a == b or not shown else "better" if b > a else "worse"
    yield Finding(file, "accuracy", title, "%" if points(title, 1.0) == 100 else "", a, b, change, direction)


def _primary(accuracy: Mapping[str, Any]) -> str | None:
    """The key of the primary metric; older records hold its value only."""
    return accuracy.get("metric") or next(
        (key for key, value in accuracy["values"].items() if key in TITLES and value == accuracy["primary"]), None
    )


def _difference(key: str, before: Mapping[str, float], after: Mapping[str, float]) -> PointsInterval:
    """The difference after - before with an interval from the intervals of both.

    Zou and Donner, Statistics in Medicine 27 (2008), p. 1693. Both are taken as independent; on the same images they are not, and the
    true interval is narrower.
    """
    title = TITLES[key]
    a, b = points(title, before[key]), points(title, after[key])
    names = (f"{key}_low", f"{key}_high")
    if any(values.get(name) is None for values in (before, after) for name in names):
        return PointsInterval(b - a)
    (a_low, a_high), (b_low, b_high) = ([points(title, values[name]) for name in names] for values in (before, after))
    wider = t_quantile((1 + CONFIDENCE) / 2, 1e6) / t_quantile((1 + STORED_CONFIDENCE) / 2, 1e6)
    return PointsInterval(
        b - a, b - a - wider * math.hypot(b - b_low, a_high - a), b - a + wider * math.hypot(b_high - b, a - a_low)
    )
