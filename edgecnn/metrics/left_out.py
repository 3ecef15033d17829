"""Judges the difference of two models on the same images by the delete-a-group jackknife.

The images are in GROUPS groups by their number. A score holds its primary metric without each of the groups. Two models that saw the
same images have the same groups, so the differences of these values hold what only an image is to blame for no more: an image that is
hard for both. The method needs no formula of its own for a metric, such as mAP (Kott, Journal of Official Statistics 17 (2001), p. 521).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.student import t_quantile
from edgecnn.types import Int64

GROUPS: Final = 32
LEAST: Final = 8  # images: fewer say nothing


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two values with the limits of its confidence interval, in the units of the metric."""

    value: float
    low: float
    high: float


def group_of(images: int) -> Int64:
    """The number of the group of each image (images,)."""
    return np.arange(images, dtype=np.int64) % GROUPS


def left_out(images: int, metric: Callable[[NDArray[np.bool_]], float]) -> tuple[float, ...]:
    """``metric`` of the images that each mask (images,) bool keeps, without one group at a time.

    () with fewer than LEAST images, and where the metric is not a number without a group.
    """
    if images < LEAST:
        return ()
    group = group_of(images)
    found = tuple(float(metric(group != number)) for number in range(min(images, GROUPS)))
    return found if all(map(math.isfinite, found)) else ()


def paired_difference(
    value: float, before: Sequence[float], after: Sequence[float], images: int, confidence: float, *, share: bool
) -> Difference | None:
    """The difference ``value`` (after - before) of two models on the same ``images``, with its two-sided interval.

    ``before`` and ``after`` are what ``left_out`` gave. ``share``: the metric is a share, such as top-1; then one more image that differs
    is always allowed for, as by Agresti and Min (Statistics in Medicine 24 (2005), p. 729), because without it
    two models that agree on the few images that there are would be equal for certain. None where the scores can't be paired.
    """
    count = len(before)
    if not LEAST <= count <= images or count != len(after):
        return None
    own = np.subtract(after, before)
    variance = (count - 1) / count * float(((own - own.mean()) ** 2).sum())
    half = t_quantile((1 + confidence) / 2, count - 1) * math.sqrt(variance + (1 / images**2 if share else 0.0))
    return Difference(value, value - half, value + half)


def jackknife_interval(value: float, without: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """The two-sided interval of a metric from what ``left_out`` gave; None where it gave too little."""
    count = len(without)
    if count < LEAST:
        return None
    own = np.asarray(without, np.float64)
    half = t_quantile((1 + confidence) / 2, count - 1) * math.sqrt((count - 1) / count * float(((own - own.mean()) ** 2).sum()))
    return value - half, value + half
