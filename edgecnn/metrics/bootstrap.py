"""Confidence intervals by bootstrap over images (Efron 1979): images are drawn with replacement, as many as there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.class_matches import ClassMatches, weighted_precision
from edgecnn.metrics.estimate import percentile_interval
from edgecnn.metrics.left_out import left_out
from edgecnn.types import Array, Int64

MAX_RESAMPLES, MIN_RESAMPLES = 200, 50
BUDGET = 160_000_000  # resamples times detections: with very many detections fewer resamples are drawn, because each costs time


def resample_count(detections: int) -> int:
    """How many resamples are drawn for so many detections."""
    return int(np.clip(BUDGET // max(detections, 1), MIN_RESAMPLES, MAX_RESAMPLES))


def drawn_weights(images: int, count: int, seed: int = 0) -> Int64:
    """How often each image is drawn in each of ``count`` resamples (count, images)."""
    draw = np.random.default_rng(seed)
    rows = [np.bincount(draw.integers(0, images, images), minlength=images) for _ in range(count)]
    return np.array(rows, np.int64).reshape(count, images)


def once_and_drawn(images: int, count: int, seed: int = 0) -> Array:
    """Weights (1 + count, images) float64: each image once, then those of ``drawn_weights``."""
    return np.concatenate([np.ones((1, images)), drawn_weights(images, count, seed)])


def drawn_precision(matches: Sequence[ClassMatches], images: int, seed: int = 0) -> Array | None:
    """Average precision (R, classes, T) of as many resamples as their time allows; NaN for classes that a resample has no object of.

    None with fewer than two images.
    """
    if images < 2 or not matches:
        return None
    count = resample_count(sum(len(item.image) for item in matches))
    return weighted_precision(matches, drawn_weights(images, count, seed))


def intervals(drawn: Array | None) -> dict[str, float]:
    """95 % percentile intervals of what ``drawn_precision`` gave: ``map_low``, ``map_high``, ``ap50_low``, ``ap50_high``; {} of None."""
    if drawn is None:
        return {}
    mean = class_mean(drawn)
    found: dict[str, float] = {}
    for name, samples in (("map", mean.mean(1)), ("ap50", mean[:, 0])):
        own = percentile_interval(samples)
        if own is not None:
            found |= {f"{name}_low": own.low, f"{name}_high": own.high}
    return found


def precision_without(matches: Sequence[ClassMatches], images: int) -> tuple[float, ...]:
    """AP, the mean over IoU thresholds and classes, without each group of images (``left_out.py``)."""
    kept: list[NDArray[np.bool_]] = []

    def remember(mask: NDArray[np.bool_]) -> float:
        kept.append(mask)
        return 0.0

    if not matches or not left_out(images, remember):
        return ()
    weight = np.array(kept, np.int64)  # all groups at once take a fraction of the time
    found = iter(class_mean(weighted_precision(matches, weight)).mean(axis=1).tolist())
    return left_out(images, lambda _: next(found))


def class_mean(samples: Array) -> Array:
    """The mean over the classes of samples (R, classes, T), leaving out those without objects; NaN where none has any."""
    there = ~np.isnan(samples)
    count = there.sum(axis=1)
    total = np.where(there, samples, 0.0).sum(axis=1)
    found: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
