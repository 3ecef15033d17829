"""Percentile intervals by bootstrap over images (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgecnn.metrics.bootstrap import PERCENTILES
from edgecnn.types import Array

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class BootstrapEstimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def shown(self, sign: str = "") -> str:
        """``0.51 (0.44 to 0.58)``; ``sign`` is "+" where the sign matters."""
        return f"{self.value:{sign}.2f} ({self.low:{sign}.2f} to {self.high:{sign}.2f})"


def bootstrap(figure: Callable[[Array], float], images: int, seed: int) -> BootstrapEstimate:
    """``figure`` of the indices of all images, with its interval over images drawn with replacement; NaN resamples are left out."""
    random = np.random.default_rng(seed)
    drawn = np.array([figure(random.integers(0, images, images)) for _ in range(RESAMPLES)])
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, PERCENTILES) if len(drawn) else (np.nan, np.nan)
    return BootstrapEstimate(figure(np.arange(images)), float(low), float(high))


def informedness(truth: Array, said: Array, classes: Array) -> float:
    """How much the answers tell of the classes: the mean over ``classes`` of P(said c | is c) - P(said c | is not c).

    1 for answers that are always right, 0 for answers that do not depend on the class (Youden 1950 for each class against the others).
    Classes without an image, or without an image of another class, are left out; NaN where none remains.
    """
    found = []
    for one in classes:
        own = truth == one
        if own.any() and not own.all():
            named = said == one
            found.append(float(named[own].mean() - named[~own].mean()))
    return float(np.mean(found)) if found else float("nan")
