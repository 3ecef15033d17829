"""The verdict on one budget: the figure that was measured, its interval, and the limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from edgecnn.trust.accuracy.estimate import LEAST, TOO_WIDE

Verdict = Literal["passed", "not certain", "failed"]
PERCENT, POINTS = "%", "points"
_CLOSE: Final = 1e-9  # two ways to add up a share may differ in the last digit


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetVerdict:
    """One budget: ``key`` is its place in the policy, ``title`` what it limits, ``at_least`` whether ``limit`` is the lowest value.

    ``value``, ``low`` and ``high`` (95 % interval, None where there is none) are in ``unit``. ``exact``: there is nothing random in the
    value. ``doubt`` says why no verdict can be certain, "" where one can be; ``detail`` says what the value is of.
    """

    key: str
    title: str
    limit: float
    at_least: bool
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    exact: bool = False
    doubt: str = ""
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        """passed: the value keeps to the limit, and so does its whole interval; not certain: the value does, but not the whole
        interval, or there is too little to say; failed: the value does not.
        """
        if not self._keeps(self.value):
            return "failed"
        return "passed" if self.is_certain else "not certain"

    @property
    def is_certain(self) -> bool:
        """Whether the whole interval is on the side of the value."""
        if self.doubt or math.isnan(self.value):
            return False
        ends = (self.value,) if self.exact else (self.low, self.high)
        return all(end is not None and self._keeps(end) == self._keeps(self.value) for end in ends)

    @property
    def words(self) -> str:
        """The verdict for a reader."""
        if self.verdict == "passed":
            return "passed"
        if self.verdict == "not certain":
            return "passed, not certain"
        return "failed" if self.is_certain else "failed, not certain"

    def keeps(self, *, certain: bool) -> bool:
        """Whether a file may pass; ``certain`` asks for the whole interval."""
        return self.verdict == "passed" or (self.verdict == "not certain" and not certain)

    @property
    def margin(self) -> float:
        """How far the value is within the limit, in its unit; negative where it is beyond."""
        return self.value - self.limit if self.at_least else self.limit - self.value

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "budget": self.key,
            "title": self.title,
            "at_least" if self.at_least else "at_most": self.limit,
            "unit": self.unit,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "verdict": self.verdict,
            "certain": self.is_certain,
            "detail": self.detail,
            "doubt": self.doubt,
        }

    def _keeps(self, value: float) -> bool:
        return value >= self.limit - _CLOSE if self.at_least else value <= self.limit + _CLOSE


def share_verdict(
    key: str,
    title: str,
    limit: float,
    value: float,
    low: float | None,
    high: float | None,
    *,
    at_least: bool = True,
    count: int | None = None,
    noun: str = "images",
    detail: str = "",
    unit: str = PERCENT,
) -> BudgetVerdict:
    """The verdict on a share: ``value``, ``low`` and ``high`` are fractions of 1, ``count`` is the number of instances behind it."""
    few = count is not None and count < LEAST
    doubt = ""
    if few or low is None or high is None:
        doubt = f"too few {noun} to tell" + ("" if count is None else f" ({count})")
    elif high - low > TOO_WIDE:
        detail = "; ".join(filter(None, [detail, f"few {noun}: the interval is {100 * (high - low):.0f} points wide"]))
    return BudgetVerdict(
        key=key,
        title=title,
        limit=limit,
        at_least=at_least,
        unit=unit,
        value=100 * value,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
        doubt=doubt,
        detail=detail,
    )
