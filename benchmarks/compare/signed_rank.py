"""The Hodges-Lehmann estimate of paired differences with its exact interval from Wilcoxon's signed-rank test.

It assumes no distribution, only that differences are symmetric where there is no effect, which alternating measurement ensures:
sharp peaks of noise widen the interval and do not shift it (Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3.1 to 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np


def signed_rank_interval(values: Sequence[float], confidence: float) -> tuple[float, float, float] | None:
    """Estimate, lower and upper limit of the centre of ``values``; None where they are too few for ``confidence``."""
    left_out = left_out_averages(len(values), 1 - confidence)
    if left_out is None:
        return None
    found = np.asarray(values, float)
    rows, columns = np.triu_indices(len(found))
    averages = np.sort((found[rows] + found[columns]) / 2)  # Walsh averages, each value with itself included
    return float(np.median(averages)), float(averages[left_out]), float(averages[-1 - left_out])


@cache
def left_out_averages(count: int, alpha: float) -> int | None:
    """The largest k with 2 P(W <= k) <= ``alpha`` for the signed-rank sum W of ``count`` pairs; None where there is none."""
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, count + 1):  # each rank has a positive or a negative sign
        ways[rank:] = ways[rank:] + ways[:-rank]
    below = 2 * np.cumsum(ways) / 2.0**count
    return int(np.searchsorted(below, alpha, side="right")) - 1 if below[0] <= alpha else None
