"""The distribution of one measure over the images of a reference, and how unusual a value is in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from edgecnn.types import Array

LEVELS = (0.0, 0.005, 0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99, 0.995, 1.0)
FARTHEST = 8.0  # deviations: what lies beyond is not told apart
_NORMAL = NormalDist()
_USUAL_RANGE = (0.1, 0.9)

# The smallest deviation that counts: where a reference varies less, a change of that size still means nothing to a network.
_SMALLEST = {
    "brightness": 4.0, "contrast": 3.0, "sharpness": 0.15, "saturation": 5.0, "warmth": 4.0, "tint": 2.5, "upright": 0.05,
    "leaning": 0.05, "layout": 0.15, "boxes": 0.4, "objects": 0.4, "labels": 0.4, "score": 0.04, "box size": 0.025, "classes": 0.3,
    "embedding": 0.03,
}  # fmt: skip
_OF_LIGHT = ("brightness", "contrast", "saturation")  # that halve where the light does
_LEAST_STOPS = 0.2
_SMALLEST_SHARE = 0.05  # of the median, for other measures


@dataclass(frozen=True, slots=True)
class MeasureRange:
    """``values`` of a measure at the ``LEVELS`` of its distribution, among ``count`` independent images that have it.

    Raises ``ValueError`` for values that do not rise.
    """

    name: str
    values: tuple[float, ...]
    count: int
    _known: tuple[Array, Array, Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float64)
        if len(values) != len(LEVELS) or self.count < 1 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
            raise ValueError(f"the quantiles of {self.name} are not {len(LEVELS)} numbers that rise")
        known, first = np.unique(values, return_index=True)
        last = len(values) - 1 - np.unique(values[::-1], return_index=True)[1]
        levels = np.asarray(LEVELS)
        object.__setattr__(self, "_known", (known, levels[first], levels[last]))

    @classmethod
    def of(cls, name: str, values: Sequence[float], independent: float = 1.0) -> MeasureRange:
        """The distribution of ``values``, at least one, of which a share of ``independent`` counts as such."""
        quantiles = np.quantile(np.asarray(values, np.float64), LEVELS)
        return cls(name, tuple(float(f"{value:.6g}") for value in quantiles), max(round(len(values) * independent), 1))

    @property
    def median(self) -> float:
        """The value in the middle."""
        return self.values[LEVELS.index(0.5)]

    @property
    def usual(self) -> tuple[float, float]:
        """The values between which 95 % of the images lie."""
        return self.values[LEVELS.index(0.025)], self.values[LEVELS.index(0.975)]

    @property
    def deviation(self) -> float:
        """The standard deviation of a normal distribution with the same middle 80 %, at least the smallest one that counts."""
        return _deviation(*self._middle, self.smallest)

    @property
    def smallest(self) -> float:
        """The smallest deviation that counts."""
        return _SMALLEST.get(self.name, max(_SMALLEST_SHARE * abs(self.median), 1e-6))

    def position(self, value: float) -> float:
        """Where ``value`` lies, in standard deviations of the normal distribution of the same quantile, within ``FARTHEST``.

        Beyond the values of the reference each ``deviation`` counts as one more; for measures of light also each in stops (log2), as they
        never fall below 0, however dark it is.
        """
        known, first, last = self._known
        # the middle of the levels that a repeated value has: counts of boxes are whole numbers
        level = (float(np.interp(value, known, first)) + float(np.interp(value, known, last))) / 2
        edge = 0.5 / (self.count + 1)
        found = _NORMAL.inv_cdf(min(max(level, edge), 1 - edge))
        found += self._beyond(value)
        most = min(abs(value - self.median) / self.smallest, FARTHEST)
        return min(max(found, -most), most)

    def _beyond(self, value: float) -> float:
        """How far ``value`` lies beyond the values of the reference, in deviations; 0 for one among them."""
        if self.values[0] <= value <= self.values[-1]:
            return 0.0
        nearest = min(max(value, self.values[0]), self.values[-1])
        beyond = (value - nearest) / self.deviation
        if self.name not in _OF_LIGHT:
            return beyond
        low, high = self._middle
        in_stops = (_stops(value) - _stops(nearest)) / _deviation(_stops(low), _stops(high), _LEAST_STOPS)
        return max(beyond, in_stops, key=abs)

    @property
    def _middle(self) -> tuple[float, float]:
        """The values between which the middle 80 % lie."""
        low, high = (self.values[LEVELS.index(level)] for level in _USUAL_RANGE)
        return low, high

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {"n": self.count, "quantiles": list(self.values)}


def _deviation(low: float, high: float, least: float) -> float:
    return max((high - low) / (2 * _NORMAL.inv_cdf(_USUAL_RANGE[1])), least)


def _stops(value: float) -> float:
    return math.log2(max(value, 0.0) + 1)
