"""One compared quantity of one file: before, after, change with its interval, and what that shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgecnn.benchmarks.compare.interval import RatioInterval

Direction = Literal["better", "worse", "none", "unknown"]
"""What the change shows: "none" is no difference, "unknown" that too little was measured."""

# better, worse
WORDS = {
    "latency": ("faster", "slower"),
    "start": ("faster", "slower"),
    "processor": ("less", "more"),
    "throughput": ("higher", "lower"),
    "size": ("smaller", "larger"),
    "memory": ("less", "more"),
    "accuracy": ("higher", "lower"),
}


@dataclass(frozen=True, slots=True)
class PointsInterval:
    """A difference of an accuracy in points of a hundred, or in the units of the metric, with its interval; ``how`` it was found."""

    value: float
    low: float | None = None
    high: float | None = None
    how: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a comparison.

    ``kind`` is a key of ``WORDS``, ``title`` names the quantity, such as "model p50". ``change`` is a ratio after/before, or for
    accuracy a difference. ``regression``: worse by more than the limits allow; ``undecided``: a regression above the limit can't be
    excluded.
    """

    file: str
    kind: str
    title: str
    unit: str
    before: float
    after: float
    change: RatioInterval | PointsInterval | None
    direction: Direction
    regression: bool = False
    undecided: bool = False

    @property
    def verdict(self) -> str:
        """The verdict in words; "" for a quantity that is shown without one."""
        if self.direction == "unknown":
            short = "too short to say" if self.kind == "latency" else ""
            return short if self.change is None else "too noisy to say"
        if self.direction == "none":
            exact = self.kind == "size" or (self.kind == "accuracy" and self.before == self.after)
            return "equal" if exact else "no difference shown"
        return WORDS[self.kind][self.direction == "worse"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as a regression: ``ratio`` is a share (0.05 for 5 %), ``points`` points of a hundred; None: nothing does."""

    ratio: float | None = None
    points: float | None = None

    def judge(self, finding: Finding) -> Finding:
        """The finding with ``regression`` and ``undecided`` set.

        A latency is one only where its interval shows a slowdown, so that noise is none. Sizes and accuracies of the same
        images have no noise, so their plain difference counts.
        """
        change = finding.change
        if isinstance(change, PointsInterval):
            return replace(finding, regression=self.points is not None and change.value < -self.points - 1e-9)
        if self.ratio is None or finding.kind == "throughput":
            return finding
        if finding.kind == "size":
            return replace(finding, regression=finding.after / finding.before > 1 + self.ratio)
        if change is None:
            return replace(finding, undecided=finding.kind == "latency")
        worse = finding.direction == "worse" and change.value > 1 + self.ratio
        undecided = finding.kind == "latency" and not worse and change.high > 1 + self.ratio
        return replace(finding, regression=worse, undecided=undecided)
