"""Percentile intervals by bootstrap over images (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgecnn.metrics.estimate import Estimate, percentile_interval
from edgecnn.types import Array

RESAMPLES = 1000


def bootstrap(figure: Callable[[Array], float], images: int, seed: int) -> Estimate:
    """``figure`` of the indices of all images, with its interval over images drawn with replacement; NaN resamples are left out."""
    random = np.random.default_rng(seed)
    drawn = np.array([figure(random.integers(0, images, images)) for _ in range(RESAMPLES)])
    return Estimate(figure(np.arange(images)), percentile_interval(drawn))


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
