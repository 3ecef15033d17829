"""Computes mean absolute error, root mean squared error and coefficient of determination of a regression model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgecnn.metrics.left_out import left_out
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Float32


@dataclass(slots=True)
class RegressionAccumulator:
    """Accumulates true and predicted values image by image, in the units of the value."""

    labels: tuple[str, ...]
    _truth: list[float] = field(default_factory=list)
    _predicted: list[float] = field(default_factory=list)

    def add(self, predicted: float, truth: float) -> None:
        """Add one image: its predicted and true value."""
        self._truth.append(truth)
        self._predicted.append(predicted)

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added."""
        truth, predicted = np.array(self._truth, np.float64), np.array(self._predicted, np.float64)
        pairs: Float32 = np.stack([truth, predicted], 1).astype(np.float32)
        values = regression_metrics(truth, predicted)
        return Score(
            task="regress",
            n=len(truth),
            labels=self.labels,
            metric="r2",
            values=values,
            per_class={},
            support={},
            notes=notes,
            pairs=pairs,
            left_out=left_out(len(truth), lambda kept: regression_metrics(truth[kept], predicted[kept])["r2"]),
        )


def regression_metrics(truth: Array, predicted: Array) -> dict[str, float]:
    """``r2``, ``mae`` and ``rmse`` of values (n,).

    R² = 1 - sum((truth - predicted)²) / sum((truth - mean)²): 1 is perfect, 0 as good as predicting the mean, below 0 worse.
    If all true values are equal, it is 1 without any error, else 0.
    """
    error = predicted - truth
    residual, total = float((error**2).sum()), float(((truth - truth.mean()) ** 2).sum())
    r2 = 1 - residual / total if total else float(residual == 0)
    return {"r2": r2, "mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
