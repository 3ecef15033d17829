"""Statistics of raw samples: MLPerf's early-stopping bound, spread, drift, speedup by round."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgecnn.types import nearest_rank

Rounds = Sequence[Sequence[float]]


def early_stopping_bound(samples: Sequence[float], percent: float, confidence: float = 0.99) -> float | None:
    """An upper bound of the ``percent`` percentile that holds with ``confidence``; None where the samples are too few for one.

    With t slower samples discarded, the bound holds when BinomCDF(t; n, 1 - p) <= 1 - c; the largest such t gives the bound
    ``sorted[n - t]``. MLPerf Inference rules, appendix "Early stopping", with tolerance 0.
    """
    n, tail = len(samples), 1 - percent / 100
    over = _last_rank_within(n, tail, 1 - confidence)
    return sorted(samples)[n - over] if over >= 1 else None


def _last_rank_within(n: int, tail: float, limit: float) -> int:
    """The largest t with BinomCDF(t; n, tail) <= limit, -1 where there is none."""
    below = 0.0
    for t in range(n + 1):
        # one term of the binomial sum, by logarithms: n! overflows a float from n = 171 on
        below += math.exp(
            math.lgamma(n + 1) - math.lgamma(t + 1) - math.lgamma(n - t + 1) + t * math.log(tail) + (n - t) * math.log1p(-tail)
        )
        if below > limit:
            return t - 1
    return n


def coefficient_of_variation(samples: Sequence[float]) -> float:
    """Sample standard deviation over mean; 0 below two samples."""
    return float(np.std(samples, ddof=1) / np.mean(samples)) if len(samples) > 1 else 0.0


def drift(samples: Sequence[float]) -> float:
    """Median of the last quarter of the samples over that of the first, minus one; 0 below eight samples."""
    quarter = len(samples) // 4
    if quarter < 2:
        return 0.0
    return nearest_rank(samples[-quarter:], 50) / nearest_rank(samples[:quarter], 50) - 1


def round_spread(rounds: Rounds) -> float:
    """Highest over lowest median of the rounds, minus one; with ten rounds or more the highest and the lowest are left out."""
    medians = sorted(nearest_rank(samples, 50) for samples in rounds if len(samples))
    if len(medians) >= 10:  # one disturbed round of ten or more must not decide
        medians = medians[1:-1]
    return medians[-1] / medians[0] - 1 if len(medians) > 1 else 0.0


def speedup(reference: Rounds, other: Rounds) -> tuple[float, float, float]:
    """Speedup of ``other`` over ``reference``: ratio of the medians, then 10th and 90th percentile of the ratio over the rounds.

    Each round is compared with the neighbouring round of the reference, so the interval shows the remaining noise.
    """
    whole = nearest_rank(np.concatenate([*map(np.asarray, reference)]), 50) / nearest_rank(
        np.concatenate([*map(np.asarray, other)]), 50
    )
    pairs = [nearest_rank(a, 50) / nearest_rank(b, 50) for a, b in zip(reference, other, strict=True)]
    return whole, nearest_rank(pairs, 10), nearest_rank(pairs, 90)
