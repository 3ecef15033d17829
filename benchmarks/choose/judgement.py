"""Whether a variant is exact enough: by its accuracy on labelled data, else by its agreement with the most exact candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.metrics.score import IN_UNITS, TITLES

DROP: Final = 0.01  # of the primary metric, without a limit of the user
AGREEMENT: Final = 0.85  # the share of labels or boxes that an int8 file must share with PyTorch at export


@dataclass(frozen=True, slots=True)
class VariantAccuracy:
    """How exact a variant is.

    ``value`` of the primary ``metric`` (a key of TITLES) on ``images`` labelled images; without data None, and ``agreement`` is the share
    of the predictions for ``images`` inputs that are those of the reference.
    """

    images: int
    metric: str = ""
    value: float | None = None
    agreement: float | None = None

    def __str__(self) -> str:
        if self.value is not None:
            return f"{TITLES[self.metric]} {shown(self.value, self.metric)}"
        return "" if self.agreement is None else f"agreement {100 * self.agreement:.1f} %"


@dataclass(frozen=True, slots=True)
class LossJudgement:
    """Judges against ``reference``, the accuracy of the most exact candidate."""

    budget: Budget
    reference: VariantAccuracy
    allowed_drop: float = DROP

    def reason(self, found: VariantAccuracy) -> str:
        """Why a variant is not exact enough, "" where it is."""
        if found.value is None:
            if found.agreement is None or found.agreement >= AGREEMENT:
                return ""
            return f"only {100 * found.agreement:.0f} % of its predictions are those of the reference"
        least = self.budget.min_accuracy
        if least is not None:
            reached = shown(found.value, found.metric)
            return "" if found.value >= least else f"{TITLES[found.metric]} {reached} is below {shown(least, found.metric)}"
        drop = self.drop(found)
        limit = self.limit
        return (
            "" if drop <= limit + 1e-9 else f"loses {difference(drop, found.metric)}, more than {difference(limit, found.metric)}"
        )

    @property
    def limit(self) -> float:
        """The drop that is allowed."""
        given = self.budget.max_drop
        if given is None:
            return self.allowed_drop
        return given if self.reference.metric in IN_UNITS else given / 100

    def drop(self, found: VariantAccuracy) -> float:
        """How much a variant loses against the reference; 0 without labelled data."""
        if found.value is None or self.reference.value is None:
            return 0.0
        return self.reference.value - found.value


def shown(value: float, metric: str) -> str:
    """A value of a metric as it is printed: 55.3 %, or 31.2 (in its own units)."""
    return f"{value:.2f}" if metric in IN_UNITS else f"{100 * value:.1f} %"


def difference(value: float, metric: str) -> str:
    """A difference of two values as it is printed: 0.4 points, or 0.2 (in its own units)."""
    return f"{value:.2f} dB" if metric == "psnr" else f"{value:.2f}" if metric in IN_UNITS else f"{100 * value:.1f} points"
