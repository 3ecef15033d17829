"""Regression: mean absolute error, root of the mean squared error, and the coefficient of determination."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgecnn.metrics.score import Score
from edgecnn.types import Array, Float32


@dataclass(slots=True)
class ValueTally:
    """Collects one image after the other: what is true and what was found, in the units of the value."""

    labels: tuple[str, ...]
    _truth: list[float] = field(default_factory=list)
    _found: list[float] = field(default_factory=list)

    def add(self, found: float, truth: float) -> None:
        """The value found and the true one."""
        self._truth.append(truth)
        self._found.append(found)

    def score(self, notes: tuple[str, ...]) -> Score:
        """The Score of all that was added."""
        truth, found = np.array(self._truth, np.float64), np.array(self._found, np.float64)
        pairs: Float32 = np.stack([truth, found], 1).astype(np.float32)
        values = deviations(truth, found)
        return Score(
            task="regress", n=len(truth), labels=self.labels, values=values, per_class={}, support={}, notes=notes, pairs=pairs
        )


def deviations(truth: Array, found: Array) -> dict[str, float]:
    """``r2``, ``mae`` and ``rmse`` of values (n,).

    R² = 1 - sum((truth - found)²) / sum((truth - mean)²): 1 is perfect, 0 what the mean alone reaches; below 0 is worse than that.
    Where all true values are equal it is 1 for no error at all, else 0.
    """
    error = found - truth
    left, whole = float((error**2).sum()), float(((truth - truth.mean()) ** 2).sum())
    r2 = 1 - left / whole if whole else float(left == 0)
    return {"r2": r2, "mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
