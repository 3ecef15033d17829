"""The distribution of a tensor's values over many images, and the range that each method takes from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgecnn.types import Array

METHODS = ("min-max", "percentile", "mse", "entropy")
BINS = 4096
SAMPLED = 1 << 16  # values of one tensor and image that are counted; minimum and maximum are taken from all
KEPT = 0.9999  # share of the values inside a percentile range
LEVELS = 256
SHRINKS = np.linspace(1.0, 0.1, 46)
HUGE = 1e30  # padding with "minus infinity" is no value

Range = tuple[float, float]


class Histogram:
    """Counts of values in equal bins from ``-reach`` to ``reach``, which doubles when a value lies outside."""

    def __init__(self) -> None:
        self.low, self.high, self.reach = np.inf, -np.inf, 0.0
        self.counts: Array = np.zeros(BINS)

    def add(self, values: Array) -> None:
        """Count the values of a tensor of any shape."""
        flat = values.reshape(-1)
        # NaN fails the comparison, too
        if not (abs(peak := float(np.abs(flat).max(initial=0.0))) < HUGE):
            flat = flat[np.abs(flat) < HUGE]
            peak = float(np.abs(flat).max(initial=0.0))
        if not flat.size:
            return
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self._reach(peak)
        if self.reach:
            sampled = flat[:: max(1, flat.size // SAMPLED)]
            places = ((sampled / self.reach + 1) * (BINS / 2)).astype(np.int32)
            self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    def _reach(self, peak: float) -> None:
        if not self.reach:
            self.reach = peak
        while self.reach < peak:
            halved = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.zeros(BINS)
            self.counts[BINS // 4 : BINS * 3 // 4] = halved
            self.reach *= 2

    def range(self, method: str) -> Range:
        """The range by one of ``METHODS``; (0, 0) where no value was counted."""
        if self.low > self.high:
            return 0.0, 0.0
        ends = self.low, self.high
        return ends if method == "min-max" or not self.counts.any() else CHOICES[method](self.centres, self.counts, ends)

    @property
    def centres(self) -> Array:
        """The middle of each bin."""
        centres: Array = (np.arange(BINS) + 0.5) / (BINS / 2) - 1
        return centres * self.reach


def _percentile(centres: Array, counts: Array, ends: Range) -> Range:
    """The range without the outermost values, half of them at each end."""
    share = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(share, [(1 - KEPT) / 2, (1 + KEPT) / 2])
    half = (centres[1] - centres[0]) / 2
    return max(ends[0], float(centres[low] - half)), min(ends[1], float(centres[min(high, BINS - 1)] + half))


def _least_squares(centres: Array, counts: Array, ends: Range) -> Range:
    """The range of least squared error after rounding to 256 levels: both ends shrunk together, then each alone."""
    seen = counts > 0
    values, weights = centres[seen], counts[seen]

    def error(low: float, high: float) -> float:
        low, high = min(low, 0.0), max(high, 0.0)
        clipped = values - np.clip(values, low, high)
        inside = clipped == 0
        step = (high - low) / (LEVELS - 1)
        return float((weights * np.where(inside, step * step / 12, clipped * clipped)).sum())

    low, high = ends
    best = min(SHRINKS, key=lambda part: error(low * part, high * part))
    low, high = low * best, high * best
    high *= min(SHRINKS, key=lambda part: error(low, high * part))
    low *= min(SHRINKS, key=lambda part: error(low * part, high))
    return float(low), float(high)


def _entropy(centres: Array, counts: Array, ends: Range) -> Range:
    """The range whose 256 levels lose the least information (Kullback-Leibler divergence, as in Migacz, GTC 2017)."""

    # zeros behind a ReLU are exact in any range; with them every range would be too wide
    counts = counts.copy()
    counts[BINS // 2] = counts[BINS // 2 + 1]

    def divergence(part: float) -> float:
        inside = np.flatnonzero((centres >= ends[0] * part) & (centres <= ends[1] * part))
        if inside.size < LEVELS:
            return np.inf
        first, last = inside[0], inside[-1]
        kept = counts[first : last + 1]
        clipped = kept.copy()
        clipped[0] += counts[:first].sum()
        clipped[-1] += counts[last + 1 :].sum()
        return _lost(clipped, kept)

    best = min(SHRINKS, key=divergence)
    return float(ends[0] * best), float(ends[1] * best)


def _lost(reference: Array, kept: Array) -> float:
    levels = np.arange(kept.size) * LEVELS // kept.size
    filled = reference > 0
    total = np.bincount(levels, kept, LEVELS)
    spread = np.bincount(levels, filled, LEVELS)
    mean = np.divide(total, spread, out=np.zeros_like(total), where=spread > 0)
    found = np.where(filled, mean[levels], 0.0)
    p, q = reference / reference.sum(), found / max(found.sum(), 1e-12)
    both = p > 0
    return float((p[both] * np.log(p[both] / np.maximum(q[both], 1e-12))).sum())


CHOICES: Mapping[str, Callable[[Array, Array, Range], Range]] = {
    "percentile": _percentile,
    "mse": _least_squares,
    "entropy": _entropy,
}
