"""A figure with its 95 % interval: the one form in which all measurements give what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edgecnn.types import Array

PERCENTILES = (2.5, 97.5)  # of a 95 % interval


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, None where there is too little to give one."""

    value: float
    interval: Interval | None = None

    @property
    def width(self) -> float:
        """Of the interval, infinite without one."""
        return float("inf") if self.interval is None else self.interval.width

    @property
    def low(self) -> float | None:
        """The lower end."""
        return None if self.interval is None else self.interval.low

    @property
    def high(self) -> float | None:
        """The upper end."""
        return None if self.interval is None else self.interval.high

    def held(self) -> Estimate:
        """With an interval that holds the value: resamples of a calibration error are too high by chance, which the interval shows."""
        if self.interval is None:
            return self
        return Estimate(self.value, Interval(min(self.interval.low, self.value), max(self.interval.high, self.value)))

    def shown(self, sign: str = "") -> str:
        """``0.51 (0.44 to 0.58)``; ``sign`` is "+" where the sign matters."""
        ends = "" if self.interval is None else f" ({self.interval.low:{sign}.2f} to {self.interval.high:{sign}.2f})"
        return f"{self.value:{sign}.2f}{ends}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON: value, low, high."""
        return {"value": self.value, "low": self.low, "high": self.high}


def percentile_interval(samples: Array) -> Interval | None:
    """The 95 % percentile interval of the resamples (R,) of a figure (Efron 1979), leaving out NaN; None where nothing is left."""
    return percentile_intervals(samples[:, None])[0]


def percentile_intervals(samples: Array) -> list[Interval | None]:
    """The same of each of k figures (R, k); percentiles between two resamples are interpolated, as ``np.percentile`` does."""
    if not len(samples):
        return [None] * samples.shape[1]
    ordered = np.sort(np.where(np.isfinite(samples), samples, np.nan), axis=0)  # NaN comes last
    last = np.isfinite(ordered).sum(axis=0) - 1
    found = []
    for percent in PERCENTILES:
        place = percent / 100 * np.maximum(last, 0)
        below = place.astype(np.int64)
        low, high = (
            np.take_along_axis(ordered, rows[None], axis=0)[0] for rows in (below, np.minimum(below + 1, np.maximum(last, 0)))
        )
        found.append(low + (high - low) * (place - below))
    pairs = zip(last.tolist(), *(row.tolist() for row in found), strict=True)
    return [Interval(low, high) if count >= 0 else None for count, low, high in pairs]


def ends(interval: Interval | None) -> list[float] | None:
    """As plain values for JSON: [low, high]."""
    return None if interval is None else list(interval)
