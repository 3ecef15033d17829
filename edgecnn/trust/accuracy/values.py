"""A regression model in detail: R², mean absolute and root mean square error with their intervals."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecnn.metrics.regression import regression_metrics
from edgecnn.metrics.score import TITLES, Score
from edgecnn.trust.accuracy.estimate import TOO_WIDE, AccuracyDetail, estimates
from edgecnn.types import Array

NAMES: Final = ("r2", "mae", "rmse")
BUDGET, MOST, LEAST = 200_000_000, 1000, 100  # values that are drawn, resamples


def value_detail(score: Score, seed: int) -> AccuracyDetail:
    """From the true and predicted values of a ``score``."""
    pairs = np.zeros((0, 2)) if score.pairs is None else score.pairs.astype(np.float64)
    draw, count = np.random.default_rng(seed), len(pairs)
    rounds = int(np.clip(BUDGET // max(count, 1), LEAST, MOST)) if count > 1 else 0
    samples = [_measured(pairs[draw.integers(0, count, count)]) for _ in range(rounds)]
    figures = estimates(NAMES, np.array(_measured(pairs)), np.array(samples) if samples else None)
    notes = []
    if figures["r2"].width > TOO_WIDE:
        width = "no interval" if figures["r2"].interval is None else f"an interval of {figures['r2'].width:.2f}"
        notes.append(f"too few images: {TITLES['r2']} has {width}")
    return AccuracyDetail(figures=figures, classes={}, support={}, counted="images", resamples=rounds, notes=tuple(notes))


def _measured(pairs: Array) -> list[float]:
    found = regression_metrics(pairs[:, 0], pairs[:, 1])
    return [found[name] for name in NAMES]
