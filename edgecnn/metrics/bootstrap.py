"""Confidence intervals of mAP by bootstrap over images (Efron 1979), which reuses the matches of pycocotools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.left_out import left_out
from edgecnn.types import Array, Int64

MAX_RESAMPLES, MIN_RESAMPLES = 200, 50
BUDGET = 4000  # resamples times classes: with many classes fewer resamples are drawn, because each class costs time
PERCENTILES = (2.5, 97.5)  # of a 95 % interval
RECALL_LEVELS = np.linspace(0, 1, 101)  # as in pycocotools


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """All detections of one class by descending score: ``image`` (n,) and, for T IoU thresholds, true and false positives (T, n) bool.

    ``objects`` (images,) is the number of ground truth objects in each image. Ignored detections are neither true nor false.
    """

    image: Int64
    true_positive: NDArray[np.bool_]
    false_positive: NDArray[np.bool_]
    objects: Int64

    def precision(self, weight: Int64) -> Array | None:
        """Average precision (T,), interpolated at 101 recall levels, with each image counted ``weight`` (images,) times.

        None where the weighted images hold no object.
        """
        objects = int(self.objects @ weight)
        if not objects:
            return None
        # drawing an image twice is the same as counting its detections twice: nothing is matched again
        each = weight[self.image]
        true, false = np.cumsum(self.true_positive * each, 1), np.cumsum(self.false_positive * each, 1)
        precision = true / np.maximum(true + false, 1)
        # The precision at a recall is the highest at that recall or above (as in pycocotools).
        envelope = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        return np.array([_interpolated(row, edge) for row, edge in zip(true / objects, envelope, strict=True)])


def _interpolated(recall: Array, envelope: Array) -> float:
    # the first detection that reaches each recall level; levels that are never reached have precision 0
    place = np.searchsorted(recall, RECALL_LEVELS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(place, len(envelope))].mean())


def intervals(run: Any, seed: int = 0) -> dict[str, float]:
    """95 % percentile intervals of an evaluated COCOeval: ``map_low``, ``map_high``, ``ap50_low``, ``ap50_high``.

    Images are drawn with replacement, as many as there are; {} with fewer than two images or without any object.
    """
    images = len(run.params.imgIds)
    classes = class_matches(run)
    if images < 2 or not classes:
        return {}
    draw = np.random.default_rng(seed)
    samples = []
    for _ in range(int(np.clip(BUDGET // len(classes), MIN_RESAMPLES, MAX_RESAMPLES))):
        weight = np.bincount(draw.integers(0, images, images), minlength=images)
        values = [value for item in classes if (value := item.precision(weight)) is not None]
        if values:
            mean = np.mean(values, 0)
            samples.append((mean.mean(), mean[0]))
    low, high = np.percentile(np.array(samples), PERCENTILES, axis=0)
    return {"map_low": float(low[0]), "map_high": float(high[0]), "ap50_low": float(low[1]), "ap50_high": float(high[1])}


def precision_without(run: Any) -> tuple[float, ...]:
    """AP, the mean over IoU thresholds and classes, of an evaluated COCOeval without each group of images (``left_out.py``)."""
    classes = class_matches(run)

    def mean(kept: NDArray[np.bool_]) -> float:
        values = [value for item in classes if (value := item.precision(kept.astype(np.int64))) is not None]
        return float(np.mean(values)) if values else float("nan")

    return left_out(len(run.params.imgIds), mean)


def class_matches(run: Any) -> list[ClassMatches]:
    """The matches of each class that has objects, over objects of all sizes."""
    images, classes, areas = len(run.params.imgIds), len(run.params.catIds), len(run.params.areaRng)
    # evalImgs is a flat list in the order class, area range, image; area range 0 is "all"
    rows = np.array(run.evalImgs, dtype=object).reshape(classes, areas, images)[:, 0]
    matches = [_class(list(row)) for row in rows]
    return [item for item in matches if item.objects.any()]


def _class(row: list[dict[str, Any] | None]) -> ClassMatches:
    objects = np.array([0 if item is None else int((np.asarray(item["gtIgnore"]) == 0).sum()) for item in row], np.int64)
    with_detections = [(index, item) for index, item in enumerate(row) if item is not None and len(item["dtScores"])]
    if not with_detections:
        none = np.zeros((1, 0), bool)
        return ClassMatches(np.zeros(0, np.int64), none.repeat(10, 0), none.repeat(10, 0), objects)
    image = np.concatenate([np.full(len(item["dtScores"]), index, np.int64) for index, item in with_detections])
    # mergesort keeps the order of ties, as in pycocotools
    order = np.argsort(-np.concatenate([item["dtScores"] for _, item in with_detections]), kind="mergesort")
    matched = np.concatenate([np.asarray(item["dtMatches"]) > 0 for _, item in with_detections], 1)[:, order]
    ignored = np.concatenate([np.asarray(item["dtIgnore"]).astype(bool) for _, item in with_detections], 1)[:, order]
    return ClassMatches(image[order], matched & ~ignored, ~matched & ~ignored, objects)
