"""Confidence intervals by bootstrap over images (Efron 1979): images are drawn with replacement, as many as there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.box_matches import ClassMatches
from edgecnn.metrics.left_out import left_out
from edgecnn.types import Array, Int64

MAX_RESAMPLES, MIN_RESAMPLES = 200, 50
BUDGET = 40_000_000  # resamples times detections: with many detections fewer resamples are drawn, because each costs time
PERCENTILES = (2.5, 97.5)  # of a 95 % interval
_TOGETHER = 2_000_000  # resamples times detections that are held in memory


def percentiles(samples: Array) -> tuple[Array, Array]:
    """The ends of the 95 % percentile interval of samples (R, ...), leaving out NaN."""
    low, high = np.nanpercentile(samples, PERCENTILES, axis=0)
    return low, high


def resample_count(detections: int) -> int:
    """How many resamples are drawn for so many detections."""
    return int(np.clip(BUDGET // max(detections, 1), MIN_RESAMPLES, MAX_RESAMPLES))


def resampled(matches: Sequence[ClassMatches], images: int, count: int, seed: int = 0) -> Array:
    """Average precision (count, classes, T) of each resample; NaN for classes that a resample has no object of."""
    found = np.full((count, len(matches), len(matches[0].true_positive)), np.nan)
    for first, part in _batches(images, count, max(len(item.image) for item in matches), seed):
        for place, item in enumerate(matches):
            found[first : first + len(part), place] = item.precision(part)
    return found


def _batches(images: int, count: int, detections: int, seed: int) -> Iterator[tuple[int, Int64]]:
    """The resamples in batches that fit into memory."""
    draw = np.random.default_rng(seed)
    size = max(_TOGETHER // max(detections, images, 1), 1)
    for first in range(0, count, size):
        rows = range(min(size, count - first))
        yield first, np.array([np.bincount(draw.integers(0, images, images), minlength=images) for _ in rows], np.int64)


def drawn_precision(matches: Sequence[ClassMatches], images: int, seed: int = 0) -> Array | None:
    """Average precision (R, classes, T) of as many resamples as their time allows; None with fewer than two images."""
    if images < 2 or not matches:
        return None
    return resampled(matches, images, resample_count(sum(len(item.image) for item in matches)), seed)


def intervals(drawn: Array | None) -> dict[str, float]:
    """95 % percentile intervals of what ``drawn_precision`` gave: ``map_low``, ``map_high``, ``ap50_low``, ``ap50_high``; {} of None."""
    if drawn is None:
        return {}
    mean = class_mean(drawn)
    low, high = percentiles(np.stack([mean.mean(1), mean[:, 0]], 1))
    return {"map_low": float(low[0]), "map_high": float(high[0]), "ap50_low": float(low[1]), "ap50_high": float(high[1])}


def precision_without(matches: Sequence[ClassMatches], images: int) -> tuple[float, ...]:
    """AP, the mean over IoU thresholds and classes, without each group of images (``left_out.py``)."""
    kept: list[NDArray[np.bool_]] = []

    def remember(mask: NDArray[np.bool_]) -> float:
        kept.append(mask)
        return 0.0

    if not matches or not left_out(images, remember):
        return ()
    weight = np.array(kept, np.int64)  # all groups at once take a fraction of the time
    found = iter(class_mean(np.stack([item.precision(weight) for item in matches], 1)).mean(axis=1).tolist())
    return left_out(images, lambda _: next(found))


def class_mean(samples: Array) -> Array:
    """The mean over the classes of samples (R, classes, T), leaving out those without objects; NaN where none has any."""
    there = ~np.isnan(samples)
    count = there.sum(axis=1)
    total = np.where(there, samples, 0.0).sum(axis=1)
    found: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
