"""Whether a variant is exact enough: by its accuracy on labelled data, else by its agreement with the most exact candidate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.metrics.left_out import LEAST, Difference, paired_difference
from edgecnn.metrics.score import IN_UNITS, TITLES

CONFIDENCE: Final = 0.9  # of both ends of an interval: a loss is above its upper end with 5 %
MAY_LOSE: Final = "may lose more than"
NO_LOSS: Final = "loses nothing"
DROP: Final = 0.01  # of the primary metric, without a limit of the user
AGREEMENT: Final = 0.85  # the share of labels or boxes that an int8 file must share with PyTorch at export


@dataclass(frozen=True, slots=True)
class VariantAccuracy:
    """How exact a variant is.

    ``value`` of the primary ``metric`` (a key of TITLES) on ``images`` labelled images; without data None, and ``agreement`` is the share
    of the predictions for ``images`` inputs that are those of the reference. ``left_out``: see ``edgecnn.metrics.left_out``.
    ``change``: its value minus that of the reference on the same images, None where it was not compared. ``equally_exact``: in a
    precision that is as exact as that of the reference.
    """

    images: int
    metric: str = ""
    value: float | None = None
    agreement: float | None = None
    left_out: tuple[float, ...] = ()
    change: Difference | None = None
    equally_exact: bool = False

    def compared_with(self, reference: VariantAccuracy) -> VariantAccuracy:
        """The same with its ``change`` against the ``reference`` on the same images; unchanged where one has no value."""
        if self.value is None or reference.value is None:
            return self
        drops = reference.left_out, self.left_out
        share = is_share(self.metric)
        return replace(self, change=paired_difference(self.value - reference.value, *drops, self.images, CONFIDENCE, share=share))

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
        drop, limit = self.drop(found), self.limit
        if drop > limit + 1e-9:
            return f"loses {difference(drop, found.metric)}, more than {difference(limit, found.metric)}"
        if found.equally_exact or not self.is_open(found):
            return ""
        return f"{MAY_LOSE} {difference(limit, found.metric)}: {change_words(found)}"

    def is_open(self, found: VariantAccuracy) -> bool:
        """Whether other images could turn the verdict: the limit lies within the interval of what is limited."""
        least = self.budget.min_accuracy
        if found.value is None or found.images < LEAST:
            return found.value is not None and least is None
        if least is not None:
            own = interval(found)
            return own is not None and own.low < least <= own.high
        return found.change is not None and -found.change.high <= self.limit + 1e-9 < -found.change.low

    def doubt(self, found: VariantAccuracy) -> str:
        """What is not certain of an accuracy that has a lower limit, "" where it is."""
        least, own = self.budget.min_accuracy, interval(found)
        if least is None or own is None or not self.is_open(found):
            return ""
        low, high = (shown(value, found.metric) for value in (own.low, own.high))
        return f"{found.images:,} images do not show for certain that it reaches {shown(least, found.metric)} ({low} to {high})"

    @property
    def limit(self) -> float:
        """The drop that is allowed."""
        given = self.budget.max_drop
        if given is None:
            return self.allowed_drop
        return given if self.reference.metric in IN_UNITS else given / 100

    def drop(self, found: VariantAccuracy) -> float:
        """How much a variant loses against the reference, on the same images where it can be; 0 without labelled data."""
        if found.change is not None:
            return -found.change.value
        if found.value is None or self.reference.value is None:
            return 0.0
        return self.reference.value - found.value


def is_share(metric: str) -> bool:
    """Whether a metric is a share of 1."""
    return metric not in IN_UNITS


def interval(found: VariantAccuracy) -> Difference | None:
    """The accuracy of a variant with its interval; None where it was measured on too few images."""
    if found.value is None:
        return None
    nothing = [0.0] * len(found.left_out)
    return paired_difference(found.value, nothing, found.left_out, found.images, CONFIDENCE, share=is_share(found.metric))


def change_words(found: VariantAccuracy) -> str:
    """What a variant gains or loses with the interval, ``loses 0.4 points (from a gain of 0.3 points to a loss of 1.1 points) on 500
    images``.
    """
    if found.change is None:
        return f"{found.images} images are too few to say"
    worst, best = (_amount(value, found.metric) for value in (found.change.low, found.change.high))
    first, last = (worst, best) if found.change.value > 0 else (best, worst)
    return f"{loss_words(-found.change.value, found.metric)} (from {first} to {last}) on {found.images:,} images"


def loss_words(drop: float, metric: str) -> str:
    """``loses 0.4 points``, ``gains 0.2 points`` where the drop is negative, ``loses nothing`` where it is printed as zero."""
    size = difference(abs(drop), metric)
    return NO_LOSS if size == difference(0.0, metric) else f"{'loses' if drop > 0 else 'gains'} {size}"


def _amount(change: float, metric: str) -> str:
    size = difference(abs(change), metric)
    return "no loss" if size == difference(0.0, metric) else f"a {'gain' if change > 0 else 'loss'} of {size}"


def shown(value: float, metric: str) -> str:
    """A value of a metric as it is printed: 55.3 %, or 31.2 (in its own units)."""
    return f"{value:.2f}" if metric in IN_UNITS else f"{100 * value:.1f} %"


def difference(value: float, metric: str) -> str:
    """A difference of two values as it is printed: 0.4 points, or 0.2 (in its own units)."""
    return f"{value:.2f} dB" if metric == "psnr" else f"{value:.2f}" if metric in IN_UNITS else f"{100 * value:.1f} points"
