"""How sure a mAP is: the bootstrap over images (Efron 1979), on the matches that pycocotools found, which are not made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Array, Int64

RESAMPLES, FEWEST, WORK = 200, 50, 4000  # fewer where there are many classes, each of which costs time
TAILS = (2.5, 97.5)
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """All detections of one class by falling score: ``image`` (n,) and, for the T thresholds of IoU, right and wrong (T, n) bool.

    ``wanted`` (images,) is the number of objects to be found in each image.
    """

    image: Int64
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    wanted: Int64

    def precision(self, weight: Int64) -> Array | None:
        """Interpolated average precision (T,), where each image counts ``weight`` (images,) times; None where there is nothing to find."""
        wanted = int(self.wanted @ weight)
        if not wanted:
            return None
        each = weight[self.image]
        right, wrong = np.cumsum(self.right * each, 1), np.cumsum(self.wrong * each, 1)
        precision = right / np.maximum(right + wrong, 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        return np.array([_interpolated(row, edge) for row, edge in zip(right / wanted, envelope, strict=True)])


def _interpolated(recall: Array, envelope: Array) -> float:
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(place, len(envelope))].mean())


def intervals(run: Any, seed: int = 0) -> dict[str, float]:
    """95 % percentile intervals of a COCOeval that has evaluated: ``map_low``, ``map_high``, ``ap50_low``, ``ap50_high``.

    Images are drawn with replacement, as many as there are; {} where there are fewer than two or nothing could be measured.
    """
    images = len(run.params.imgIds)
    classes = class_matches(run)
    if images < 2 or not classes:
        return {}
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(int(np.clip(WORK // len(classes), FEWEST, RESAMPLES))):
        weight = np.bincount(draw.integers(0, images, images), minlength=images)
        values = [value for item in classes if (value := item.precision(weight)) is not None]
        if values:
            mean = np.mean(values, 0)
            found.append((mean.mean(), mean[0]))
    low, high = np.percentile(np.array(found), TAILS, axis=0)
    return {"map_low": float(low[0]), "map_high": float(high[0]), "ap50_low": float(low[1]), "ap50_high": float(high[1])}


def class_matches(run: Any) -> list[ClassMatches]:
    """The matches of each class that has objects, for objects of all sizes."""
    images, classes, areas = len(run.params.imgIds), len(run.params.catIds), len(run.params.areaRng)
    rows = np.array(run.evalImgs, dtype=object).reshape(classes, areas, images)[:, 0]
    found = [_class(list(row)) for row in rows]
    return [item for item in found if item.wanted.any()]


def _class(row: list[dict[str, Any] | None]) -> ClassMatches:
    wanted = np.array([0 if item is None else int((np.asarray(item["gtIgnore"]) == 0).sum()) for item in row], np.int64)
    there = [(index, item) for index, item in enumerate(row) if item is not None and len(item["dtScores"])]
    if not there:
        none = np.zeros((1, 0), bool)
        return ClassMatches(np.zeros(0, np.int64), none.repeat(10, 0), none.repeat(10, 0), wanted)
    image = np.concatenate([np.full(len(item["dtScores"]), index, np.int64) for index, item in there])
    order = np.argsort(-np.concatenate([item["dtScores"] for _, item in there]), kind="mergesort")
    matched = np.concatenate([np.asarray(item["dtMatches"]) > 0 for _, item in there], 1)[:, order]
    ignored = np.concatenate([np.asarray(item["dtIgnore"]).astype(bool) for _, item in there], 1)[:, order]
    return ClassMatches(image[order], matched & ~ignored, ~matched & ~ignored, wanted)
