"""Parity of an artifact with its PyTorch model: tolerances, and the measured differences of tensors, labels and boxes. NumPy only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.types import Array


@dataclass(frozen=True, slots=True)
class TensorError:
    """Difference of two tensors: maximum and mean absolute error as a share of the output's range, and cosine similarity."""

    largest: float
    mean: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Limits for an artifact of one precision.

    ``largest``: maximum absolute error of any value as a share of its output's range, on every input. The others hold on real inputs:
    ``mean``: maximum of the mean error; ``cosine``: minimum cosine similarity; ``agree``: minimum share of labels that agree, or of
    boxes of both sides that have a match of the same class with an IoU of at least ``iou``. Only boxes with a score of at least
    ``floor`` count (None: the card's threshold). ``score``: maximum mean score difference of matches. Two classes whose scores in
    PyTorch differ by less than ``tie`` count as the same label.
    """

    largest: float
    mean: float
    cosine: float
    agree: float
    iou: float
    score: float
    tie: float
    floor: float | None = None

    def loosened(self, factor: float) -> Tolerance:
        """All limits multiplied by ``factor``."""
        return dataclasses.replace(
            self,
            largest=self.largest * factor,
            mean=self.mean * factor,
            cosine=1 - (1 - self.cosine) * factor,
            agree=max(1 - (1 - self.agree) * factor, 0.0),
            score=self.score * factor,
        )


# fp32: engines add in another order than PyTorch. fp16: 11 significant bits. int8: a single value may saturate, so only the mean and
# the predictions are limited; boxes below a score of 0.3 are too uncertain to be compared after rounding to 8 bits.
TOLERANCES: Mapping[str, Tolerance] = {
    "fp32": Tolerance(largest=1e-4, mean=1e-5, cosine=0.9999, agree=0.98, iou=0.9, score=1e-4, tie=2e-4),
    "fp16": Tolerance(largest=1e-2, mean=1e-3, cosine=0.999, agree=0.95, iou=0.9, score=1e-2, tie=2e-2),
    "int8": Tolerance(largest=1.0, mean=3e-2, cosine=0.95, agree=0.85, iou=0.5, score=0.1, tie=5e-2, floor=0.3),
}


def tensor_error(expected: Array, got: Array, spread: float) -> TensorError:
    """Error of ``got`` as a share of ``spread``; infinite where shapes differ or a value is not finite."""
    a, b = np.asarray(expected, np.float64).ravel(), np.asarray(got, np.float64).ravel()
    if a.shape != b.shape or not np.isfinite(b).all():
        return TensorError(float("inf"), float("inf"), 0.0)
    gap = np.abs(a - b) / (spread or 1.0)
    return TensorError(float(gap.max(initial=0.0)), float(gap.mean()) if gap.size else 0.0, _cosine(a, b, spread))


def _cosine(a: Array, b: Array, spread: float) -> float:
    """Cosine similarity; 1 where both are below a hundredth of the range: the direction of rounding noise is arbitrary."""
    if max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)) < 0.01 * spread:
        return 1.0
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else 0.0


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

    ``violations`` lists everything out of tolerance.
    """

    kind: str
    n: int
    errors: Mapping[str, TensorError]
    agree: float | None = None
    score: float | None = None
    violations: tuple[str, ...] = ()

    @property
    def worst(self) -> TensorError:
        """The worst value of each measure over all outputs."""
        errors = self.errors.values()
        return TensorError(max(e.largest for e in errors), max(e.mean for e in errors), min(e.cosine for e in errors))


def judge_row(
    kind: str,
    errors: Mapping[str, TensorError],
    found: Sequence[Agreement],
    tolerance: Tolerance,
    *,
    usual: bool = True,
    real: bool = True,
) -> ParityRow:
    """The row of one kind of input; the mean error is checked if ``usual``, cosine and predictions if ``real``."""
    total = sum(agreement.total for agreement in found)
    gaps = [gap for agreement in found for gap in agreement.score_gaps]
    agree = sum(agreement.same for agreement in found) / total if total else None
    row = ParityRow(kind, len(found), errors, agree, float(np.mean(gaps)) if gaps else None)
    violations = tensor_violations(row, tolerance, usual=usual, real=real) + (
        _prediction_violations(row, tolerance) if real else []
    )
    return dataclasses.replace(row, violations=tuple(violations))


def tensor_violations(row: ParityRow, tolerance: Tolerance, *, usual: bool, real: bool) -> list[str]:
    """Everything out of tolerance in the tensors, independent of the decoder."""
    worst, violations = row.worst, []
    # "not <=" instead of ">": NaN is a violation, too
    if not worst.largest <= tolerance.largest:
        violations.append(f"largest error {worst.largest:.2g} of the range, limit {tolerance.largest:g}")
    if usual and not worst.mean <= tolerance.mean:
        violations.append(f"mean error {worst.mean:.2g} of the range, limit {tolerance.mean:g}")
    if real and not worst.cosine >= tolerance.cosine:
        violations.append(f"cosine {worst.cosine:.4f}, minimum {tolerance.cosine:g}")
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
    """The rows as a text table; ``compared`` is the title of the column with the agreement, such as "boxes"."""
    head = ("input", "n", "max error", "mean error", "cosine", compared, "score diff", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)


def _cells(row: ParityRow) -> tuple[str, ...]:
    worst = row.worst
    agree = "-" if row.agree is None else f"{row.agree:.1%}"
    score = "-" if row.score is None else f"{row.score:.1e}"
    verdict = "OUT OF TOLERANCE" if row.violations else "ok"
    return row.kind, str(row.n), f"{worst.largest:.1e}", f"{worst.mean:.1e}", f"{worst.cosine:.5f}", agree, score, verdict


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(line) - 1
    return [
        cell.ljust(w) if column in (0, last) else cell.rjust(w) for column, (cell, w) in enumerate(zip(line, widths, strict=True))
    ]
