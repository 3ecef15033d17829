"""Object key point similarity (OKS), and the AP that COCO defines by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.types import Array, Float32

# Standard deviations of people who mark the 17 key points of COCO, as a share of the object's size, times 2: pycocotools.
COCO_SIGMAS = (
    .026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089,
)  # fmt: skip
USUAL_SIGMA = 0.05  # where nobody has measured it: between the eyes and the shoulders of COCO


def sigmas(count: int, given: Sequence[float] = ()) -> tuple[float, ...]:
    """The deviations of ``count`` key points: those given, COCO's for 17 key points, else the usual one for each."""
    if len(given) == count:
        return tuple(given)
    return COCO_SIGMAS if count == len(COCO_SIGMAS) else (USUAL_SIGMA,) * count


def oks(truth: Float32, points: Float32, area: float, deviations: Sequence[float]) -> float:
    """Similarity of 0..1 of key points (K, 2 or more) to the truth (K, 3) of an object of ``area`` square pixels.

    The mean of exp(-d² / (2 area (2 sigma)²)) over the labelled key points, d their distance: https://cocodataset.org/#keypoints-eval.
    0 where none is labelled.
    """
    labelled = truth[:, 2] > 0
    if not labelled.any():
        return 0.0
    squared = ((truth[:, :2] - points[:, :2]) ** 2).sum(1)
    variance = (2 * np.asarray(deviations)) ** 2
    return float(np.exp(-squared / (2 * max(area, 1.0) * variance))[labelled].mean())


def oks_matrix(truth: Float32, points: Float32, area: Array, deviations: Sequence[float]) -> Array:
    """OKS (n, m) of n true objects (n, K, 3) of ``area`` (n,) and m others (m, K, 3)."""
    labelled = (truth[:, None, :, 2] > 0).astype(np.float64)
    squared = ((truth[:, None, :, :2].astype(np.float64) - points[None, :, :, :2]) ** 2).sum(3)
    variance = (2 * np.asarray(deviations, np.float64)) ** 2
    close = np.exp(-squared / (2 * np.maximum(np.asarray(area, np.float64), 1.0)[:, None, None] * variance))
    return np.asarray((close * labelled).sum(2) / np.maximum(labelled.sum(2), 1))
