"""Whether a difference is more than chance: exact paired tests, corrections for many tests, bootstrap intervals. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.metrics.estimate import Interval, percentile_interval
from edgecnn.types import Array

RESAMPLES = 2000
SIGNIFICANT = 0.05  # a corrected p-value below this is called a difference
FEW = 10  # with fewer images a comparison says little
LEAST = 5  # images that hold something: resampling fewer gives intervals that are too narrow
_EXACT = (
    4096  # sum of absolute differences up to which the test is exact; above, the normal distribution differs by less than 1 %
)
_BLOCK = 4_000_000  # drawn images that are kept in memory at a time


def paired_test(differences: Sequence[int] | Array) -> float:
    """Two-sided p-value of the sum of ``differences``, one integer for each image, if before and after were exchangeable.

    Each difference keeps its size and gets either sign with the same probability (exact permutation test, Fisher 1935). Where each
    image holds one instance, the differences are -1, 0 and 1 and this is McNemar's exact test (McNemar 1947); several objects of one
    image are not independent, so the image is the unit. 1.0 where nothing differs.
    """
    sizes = np.abs(np.asarray(differences, np.int64))
    sizes = sizes[sizes > 0]
    total, reach = abs(int(np.sum(differences))), int(sizes.sum())
    if not reach:
        return 1.0
    if reach > _EXACT:
        from math import erfc, sqrt

        # corrected for continuity: sums are 2 apart
        return float(erfc(max(total - 1, 0) / sqrt(2 * float((sizes.astype(np.float64) ** 2).sum()))))
    # the distribution of the sum over all signs: index reach + s holds the probability of the sum s
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    for size in sizes.tolist():
        chance = (np.roll(chance, size) + np.roll(chance, -size)) / 2
    sums = np.arange(-reach, reach + 1)
    return float(min(chance[np.abs(sums) >= total].sum(), 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for how many they are: the chance of one false difference among all stays below the level (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    corrected = np.empty(count)
    highest = 0.0
    for rank, index in enumerate(order.tolist()):
        highest = max(highest, min(p_values[index] * (count - rank), 1.0))
        corrected[index] = highest
    return [float(value) for value in corrected]


def ratio_interval(parts: Array, wholes: Array, seed: int = 0, resamples: int = RESAMPLES) -> Interval | None:
    """95 % percentile interval of sum(parts) / sum(wholes) by bootstrap over images (Efron 1979).

    ``parts`` and ``wholes`` (n,) hold one number for each image; with ``wholes`` of ones it is the interval of a mean. Images that hold
    nothing count as drawn. None with fewer than LEAST images that hold something.
    """
    parts, wholes = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    if np.count_nonzero(wholes) < LEAST:
        return None
    random, count = np.random.default_rng(seed), len(parts)
    ratios: list[Array] = []
    rows = max(min(_BLOCK // count, resamples), 1)
    for start in range(0, resamples, rows):
        drawn = random.integers(0, count, (min(rows, resamples - start), count))
        sums = wholes[drawn].sum(1)
        ratios.append(parts[drawn].sum(1)[sums > 0] / sums[sums > 0])
    return percentile_interval(np.concatenate(ratios))
