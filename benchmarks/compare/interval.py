"""A ratio with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

# A wider interval, as the factor from its middle to its ends, says nothing.
WIDEST = 1.25
# Of every interval: with 99 %, less than one of fifty sets of twenty comparisons without a difference shows two.
CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """A ratio after/before with the limits of its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 1: a difference is shown."""
        return not self.low <= 1 <= self.high

    @property
    def reach(self) -> float:
        """The factor from the middle of the interval to its ends: a smaller difference than this may not show."""
        return math.sqrt(self.high / self.low)

    @classmethod
    def of_logs(cls, value: float, low: float, high: float) -> RatioInterval:
        """From natural logarithms of the ratio."""
        return cls(math.exp(value), math.exp(low), math.exp(high))
