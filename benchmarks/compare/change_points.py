"""Where the level of a series of latencies changed, marked only where it is sure.

Candidates are the best division of the whole series into levels (optimal partitioning: Jackson et al., IEEE Signal Processing
Letters 12, 2005), so that a rise and a fall hide nothing from each other. Each candidate has to pass a rank-sum test between its
two sides. Values far from their neighbours are drawn in first, so that single peaks make no levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgecnn.types import Array

LEAST_POINTS = 4  # of a level
PENALTY = 4.0  # times variance and log n for each level
SURE = 2.8  # standard deviations of the rank sum: six runs on each side, all of one side above all of the other, have 2.88
LEAST_CHANGE = 0.03  # a share: smaller changes are left unmarked, as other runs differ by as much
PEAK = 4.0  # deviations from the median of the neighbours
NEIGHBOURS = 3  # on each side


@dataclass(frozen=True, slots=True)
class Change:
    """The level changed at the point ``index``; ``ratio`` is the median after over the median before."""

    index: int
    ratio: float


def changes(values: Sequence[float]) -> list[Change]:
    """The changes of a series of positive values, in order."""
    series = np.log(np.asarray(values, float))
    if len(series) < 2 * LEAST_POINTS:
        return []
    deviation = max(1.4826 * float(np.median(np.abs(np.diff(series)))) / math.sqrt(2), 1e-9)
    edges = [0, *_levels(_without_peaks(series, deviation), deviation), len(series)]
    while (weakest := _weakest(series, edges)) is not None:
        edges.remove(weakest)
    return [Change(own, math.exp(_step(series, edges, own))) for own in edges[1:-1]]


def _without_peaks(series: Array, deviation: float) -> Array:
    """Values drawn in to ``PEAK`` deviations of the median of their neighbours."""
    middles = [np.median(series[max(i - NEIGHBOURS, 0) : i + NEIGHBOURS + 1]) for i in range(len(series))]
    middle = np.array(middles)
    return np.clip(series, middle - PEAK * deviation, middle + PEAK * deviation)


def _levels(series: Array, deviation: float) -> list[int]:
    """The starts of all levels but the first in the division with the least squares plus penalty."""
    count = len(series)
    penalty = PENALTY * deviation**2 * math.log(count)
    sums, squares = (np.concatenate([[0.0], np.cumsum(one)]) for one in (series, series**2))
    best, start = np.full(count + 1, np.inf), np.zeros(count + 1, int)
    best[0] = 0.0
    for end in range(LEAST_POINTS, count + 1):
        starts = np.arange(end - LEAST_POINTS + 1)
        lengths = end - starts
        cost = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / lengths
        total = best[starts] + cost + penalty
        start[end] = int(np.argmin(total))
        best[end] = total[start[end]]
    found, end = [], count
    while start[end] > 0:
        end = int(start[end])
        found.append(end)
    return found[::-1]


def _weakest(series: Array, edges: Sequence[int]) -> int | None:
    """The least sure change that is too weak; None where all are sure."""
    weak = [own for own in edges[1:-1] if _rank_score(*_sides(series, edges, own)) < SURE or _is_small(series, edges, own)]
    return min(weak, key=lambda own: _rank_score(*_sides(series, edges, own)), default=None)


def _is_small(series: Array, edges: Sequence[int], own: int) -> bool:
    return abs(_step(series, edges, own)) < math.log1p(LEAST_CHANGE)


def _step(series: Array, edges: Sequence[int], own: int) -> float:
    before, after = _sides(series, edges, own)
    return float(np.median(after) - np.median(before))


def _sides(series: Array, edges: Sequence[int], own: int) -> tuple[Array, Array]:
    """The levels before and after the change at ``own``."""
    start = next(a for a, b in pairwise(edges) if b == own)
    end = next(b for a, b in pairwise(edges) if a == own)
    return series[start:own], series[own:end]


def _rank_score(before: Array, after: Array) -> float:
    """The standardized Mann-Whitney statistic, without sign."""
    m, n = len(before), len(after)
    above = np.sum(after[:, None] > before) + np.sum(after[:, None] == before) / 2
    return float(abs(above - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12))
