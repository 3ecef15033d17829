"""The findings of a matched pair of files: latency by clock, throughput, start, size, memory, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgecnn.benchmarks.compare.accuracy import accuracy_findings
from edgecnn.benchmarks.compare.finding import Direction, Finding
from edgecnn.benchmarks.compare.interval import WIDEST, RatioInterval
from edgecnn.benchmarks.compare.matching import Match
from edgecnn.benchmarks.compare.record_file import MeasuredClock
from edgecnn.types import nearest_rank

RatioOf = Callable[[MeasuredClock, MeasuredClock], RatioInterval | None]
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
