"""Warm-up and timed rounds of any callable; returns raw samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time

from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.types import nearest_rank

SETTLE_RUNS = 3
SETTLE_S = 0.05


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The result of a warm-up; ``settled``: whether the median was stable when it ended."""

    runs: int
    duration_s: float
    settled: bool


def timed(step: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = perf_counter()
    step()
    return (perf_counter() - started) * 1e3


def warm_up(step: Callable[[], object], protocol: Protocol) -> WarmUp:
    """Call ``step`` until its median has settled or the protocol's limit is reached."""
    samples: list[float] = []
    started = perf_counter()
    while True:
        samples.append(timed(step))
        spent = perf_counter() - started
        # a minimum time, too: fast runs end before the clock frequency of the processor has risen
        settled = len(samples) >= protocol.warm_up_runs and spent >= protocol.warm_up_s and has_settled(samples, protocol)
        if settled or spent > protocol.warm_up_limit_s:
            return WarmUp(len(samples), spent, settled)


def has_settled(samples: list[float], protocol: Protocol) -> bool:
    """Whether the median of the last ``warm_up_runs`` samples is close to that of as many before them (of all where there are fewer)."""
    last, before = samples[-protocol.warm_up_runs :], samples[-2 * protocol.warm_up_runs : -protocol.warm_up_runs] or samples
    return abs(nearest_rank(last, 50) / nearest_rank(before, 50) - 1) <= protocol.settled_within


def measure_round(step: Callable[[], object], runs: int, seconds: float) -> list[float]:
    """Milliseconds of each call until ``runs`` calls and ``seconds`` seconds have passed; none is dropped.

    A few calls before the first sample refill the caches and raise the clock frequency after another file was measured.
    """
    settle(step)
    samples: list[float] = []
    until = perf_counter() + seconds
    while len(samples) < runs or perf_counter() < until:
        samples.append(timed(step))
    return samples


def measure_with_processor(step: Callable[[], object], runs: int, seconds: float) -> tuple[list[float], list[float]]:
    """As ``measure_round``, with the milliseconds of processor time that this process spent in each call, over all threads.

    The second clock is read outside of the first, whose samples it does not touch.
    """
    settle(step)
    samples: list[float] = []
    spent: list[float] = []
    until = perf_counter() + seconds
    while len(samples) < runs or perf_counter() < until:
        before = process_time()
        samples.append(timed(step))
        spent.append((process_time() - before) * 1e3)
    return samples, spent


def settle(step: Callable[[], object]) -> None:
    """Unrecorded calls at the start of a round: three and 50 ms."""
    until = perf_counter() + SETTLE_S
    calls = 0
    while calls < SETTLE_RUNS or perf_counter() < until:
        step()
        calls += 1
