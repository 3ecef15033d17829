"""Parity of an artifact with its PyTorch model: tolerances, and the measured differences of tensors, labels and boxes. NumPy only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.types import Array


@dataclass(frozen=True, slots=True)
class TensorError:
    """Difference of two tensors: maximum and mean absolute error as a share of the output's range, and cosine similarity.

    ``usual`` is the error that ``USUAL`` of all values do not exceed (None: not known, the largest counts). ``channel`` is the largest
    ratio of the error of one channel to the channel itself, both root mean squares. ``place`` is the largest error of one place of
    the scores, on average over many images: what is there in each image, such as a box that PyTorch does not see.
    """

    largest: float
    mean: float
    cosine: float
    usual: float | None = None
    channel: float = 0.0
    place: float = 0.0

    @property
    def most(self) -> float:
        """The error of nearly all values."""
        return self.largest if self.usual is None else self.usual


UNUSABLE = TensorError(float("inf"), float("inf"), 0.0)  # another shape, missing, or not finite
USUAL = 0.999  # one value in a thousand may be out of the limit: of millions of values the largest error says little


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Limits for an artifact of one precision, all on real inputs.

    ``largest``: error of ``USUAL`` of the values, as a share of the range of the output, or of its part; ``single``: error of any value;
    ``mean``: maximum of the mean error; ``cosine``: minimum cosine similarity; ``channel``: maximum error of one channel as a share of
    the channel; ``place``: maximum mean error of a score at one place; ``agree``: minimum share of labels that agree, or of boxes of
    both sides that have a match of the same class with an IoU of at least ``iou``. Only boxes with a score of at least ``floor`` count
    (None: the card's threshold). ``score``: maximum mean score difference of matches. Two classes whose scores in PyTorch differ by
    less than ``tie`` count as the same label.
    Synthetic inputs only warn, up to ``gross`` times the limits of mean and cosine.
    """

    largest: float
    mean: float
    cosine: float
    agree: float
    iou: float
    score: float
    tie: float
    floor: float | None = None
    single: float = 1.0
    channel: float = float("inf")
    place: float = float("inf")
    gross: float = 10.0

    def loosened(self, factor: float) -> Tolerance:
        """All limits multiplied by ``factor``."""
        return dataclasses.replace(
            self,
            largest=self.largest * factor,
            mean=self.mean * factor,
            cosine=1 - (1 - self.cosine) * factor,
            agree=max(1 - (1 - self.agree) * factor, 0.0),
            score=self.score * factor,
            single=self.single * factor,
            channel=self.channel * factor,
            place=self.place * factor,
        )

    def only_gross(self) -> Tolerance:
        """The limits for synthetic inputs."""
        free = float("inf")
        return dataclasses.replace(self.loosened(self.gross), largest=free, single=free, channel=free, place=free)


# fp32: engines add in another order than PyTorch. fp16: 11 significant bits. int8: a single value may saturate, so only the mean and
# the predictions are limited, and no score may be wrong in all images at the same place; boxes below a score of 0.3 are too uncertain
# to be compared after rounding to 8 bits.
TOLERANCES: Mapping[str, Tolerance] = {
    "fp32": Tolerance(
        largest=1e-4, mean=1e-5, cosine=0.9999, agree=0.98, iou=0.9, score=1e-4, tie=2e-4, single=1e-2, channel=0.05
    ),
    "fp16": Tolerance(largest=1e-2, mean=1e-3, cosine=0.999, agree=0.95, iou=0.9, score=1e-2, tie=2e-2, single=0.1, channel=0.5),
    "int8": Tolerance(
        largest=1.0, mean=3e-2, cosine=0.95, agree=0.85, iou=0.5, score=0.1, tie=5e-2, floor=0.3, place=0.2, gross=3.0
    ),
}


def tensor_error(expected: Array, got: Array, spread: float, axis: int | None = None) -> TensorError:
    """Error of ``got`` as a share of ``spread``; ``UNUSABLE`` where shapes differ or a value is not finite.

    Each index along ``axis`` is a channel; None: there are no channels.
    """
    whole, other = np.asarray(expected, np.float64), np.asarray(got, np.float64)
    if whole.size != other.size or not np.isfinite(other).all():
        return UNUSABLE
    if not whole.size:
        return TensorError(0.0, 0.0, 1.0)
    a, b = whole.ravel(), other.ravel()
    gap = np.abs(a - b) / (spread or 1.0)
    usual = float(np.quantile(gap, USUAL, method="lower")) if gap.size > 1 else float(gap.max())
    channel = _channel_error(whole, other, spread, axis) if axis is not None and whole.shape == other.shape else 0.0
    return TensorError(float(gap.max()), float(gap.mean()), _cosine(a, b, spread), usual, channel)


def _channel_error(expected: Array, got: Array, spread: float, axis: int) -> float:
    """The largest error of a channel as a share of the channel; what is next to nothing counts as ``NOTHING`` of the range."""
    others = tuple(index for index in range(expected.ndim) if index != axis % expected.ndim)
    size, error = (np.sqrt(np.mean(np.square(array), axis=others)) for array in (expected, expected - got))
    return float((error / (size + NOTHING * (spread or 1.0))).max())


def _cosine(a: Array, b: Array, spread: float) -> float:
    """Cosine similarity; 1 where both are below a hundredth of the range: the direction of rounding noise is arbitrary."""
    if max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)) < 0.01 * spread:
        return 1.0
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else 0.0


NOTHING = 1e-5  # of the range
WARNING_NOTE = "warning: above the limits for real images, but these are synthetic; only a gross error counts on them"


def value_range(tensors: Sequence[Array]) -> float:
    """The range of an output over many inputs, zero included: highest minus lowest value; 1 where all are zero."""
    low, high = min(float(t.min()) for t in tensors), max(float(t.max()) for t in tensors)
    return max(high, 0.0) - min(low, 0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two predictions: ``same`` of ``total`` labels or boxes, and the score differences of matches."""

    same: int
    total: int
    score_gaps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One kind of input: errors by output, share of labels or boxes that agree (None: there were none), mean score difference.

    ``violations`` lists everything out of tolerance, ``warnings`` what is unusual but does no harm on real inputs.
    """

    kind: str
    n: int
    errors: Mapping[str, TensorError]
    agree: float | None = None
    score: float | None = None
    violations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def worst(self) -> TensorError:
        """The worst value of each measure over all outputs."""
        errors = self.errors.values()
        return TensorError(
            max(e.largest for e in errors),
            max(e.mean for e in errors),
            min(e.cosine for e in errors),
            max(e.most for e in errors),
            max(e.channel for e in errors),
            max(e.place for e in errors),
        )

    @property
    def gross(self) -> bool:
        """Whether the outputs can't be used: not finite, missing, or of another shape."""
        return not np.isfinite(self.worst.largest)


def judge_row(
    kind: str,
    errors: Mapping[str, TensorError],
    found: Sequence[Agreement],
    tolerance: Tolerance,
    *,
    real: bool = True,
    limited: bool = True,
) -> ParityRow:
    """The row of one kind of input.

    On an input that is not ``real`` only a gross error is a violation, and others are warnings; where it is not ``limited`` either, any
    error is a warning, as long as the outputs can be used.
    """
    total = sum(agreement.total for agreement in found)
    gaps = [gap for agreement in found for gap in agreement.score_gaps]
    agree = sum(agreement.same for agreement in found) / total if total else None
    row = ParityRow(kind, len(found), errors, agree, float(np.mean(gaps)) if gaps else None)
    violations = (*tensor_violations(row, tolerance), *_prediction_violations(row, tolerance))
    if real:
        return dataclasses.replace(row, violations=violations)
    gross = tuple(tensor_violations(row, tolerance.only_gross())) if limited or row.gross else ()
    return dataclasses.replace(row, violations=gross, warnings=violations)


def tensor_violations(row: ParityRow, tolerance: Tolerance) -> list[str]:
    """Everything out of tolerance in the tensors, independent of the decoder."""
    worst, violations = row.worst, []
    if worst.largest == float("inf"):
        return ["outputs that are missing, not finite, or of another shape"]
    # "not <=" instead of ">": NaN is a violation, too
    if not worst.most <= tolerance.largest:
        violations.append(f"largest error {worst.most:.2g} of the range, limit {tolerance.largest:g}")
    elif not worst.largest <= tolerance.single:
        violations.append(f"an error of {worst.largest:.2g} of the range in a single value, limit {tolerance.single:.2g}")
    if not worst.mean <= tolerance.mean:
        violations.append(f"mean error {worst.mean:.2g} of the range, limit {tolerance.mean:g}")
    if not worst.cosine >= tolerance.cosine:
        violations.append(f"cosine {worst.cosine:.4f}, minimum {tolerance.cosine:g}")
    if not worst.channel <= tolerance.channel:
        violations.append(f"a channel differs by {worst.channel:.0%} of itself, limit {tolerance.channel:.0%}")
    if not worst.place <= tolerance.place:
        violations.append(f"the same score is wrong by {worst.place:.2g} on average over all images, limit {tolerance.place:g}")
    return violations


def _prediction_violations(row: ParityRow, tolerance: Tolerance) -> list[str]:
    violations = []
    if row.agree is not None and not row.agree >= tolerance.agree:
        violations.append(f"{row.agree:.1%} of labels or boxes agree, minimum {tolerance.agree:.0%}")
    if row.score is not None and not row.score <= tolerance.score:
        violations.append(f"scores differ by {row.score:.2g}, limit {tolerance.score:g}")
    return violations


def tolerance_factor(row: ParityRow, tolerance: Tolerance) -> float:
    """The factor by which ``tolerance`` must be loosened for ``row``; below 1 where the row is within tolerance."""
    worst = row.worst
    parts = [worst.largest / tolerance.largest, worst.mean / tolerance.mean, (1 - worst.cosine) / (1 - tolerance.cosine)]
    parts += [] if row.agree is None else [(1 - row.agree) / (1 - tolerance.agree)]
    parts += [] if row.score is None else [row.score / tolerance.score]
    return max(parts) if np.isfinite(parts).all() else float("inf")


def table(rows: Sequence[ParityRow], compared: str) -> str:
    """The rows as a text table; ``compared`` is the title of the column with the agreement, such as "boxes". A note explains warnings."""
    head = ("input", "n", "max error", "mean error", "cosine", compared, "score diff", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    note = [WARNING_NOTE] if any(row.warnings and not row.violations for row in rows) else []
    return "\n".join([*("  ".join(_aligned(line, widths)).rstrip() for line in lines), *note])


def _cells(row: ParityRow) -> tuple[str, ...]:
    worst = row.worst
    agree = "-" if row.agree is None else f"{row.agree:.1%}"
    score = "-" if row.score is None else f"{row.score:.1e}"
    verdict = "OUT OF TOLERANCE" if row.violations else "warning" if row.warnings else "ok"
    return row.kind, str(row.n), f"{worst.largest:.1e}", f"{worst.mean:.1e}", f"{worst.cosine:.5f}", agree, score, verdict


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(line) - 1
    return [
        cell.ljust(w) if column in (0, last) else cell.rjust(w) for column, (cell, w) in enumerate(zip(line, widths, strict=True))
    ]
