"""Accuracy of semantic segmentation by a confusion matrix of pixels: IoU and Dice of each class, their means, pixel accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.left_out import GROUPS, LEAST
from edgecnn.metrics.score import Score
from edgecnn.types import NO_CLASS, Image, Int64


def confusion(truth: Image, predicted: Image, classes: int) -> Int64:
    """Counts (C, C + 1) of pixels by true class (rows) and predicted class (columns; the last: none); both masks are (H, W).

    Pixels whose truth is NO_CLASS do not count. A predicted class that the dataset does not have is counted in the last column.
    """
    counts = truth != NO_CLASS
    rows = truth[counts].astype(np.int64)
    columns = np.minimum(predicted[counts].astype(np.int64), classes)
    return np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def shares(counts: Int64) -> tuple[Mapping[int, float], Mapping[int, float]]:
    """IoU and Dice (F1) of each class that the truth shows, from a ``confusion``.

    IoU = TP / (TP + FP + FN), the measure of Pascal VOC (Everingham et al. 2015, doi:10.1007/s11263-014-0733-5), section 4.2;
    Dice = 2 TP / (2 TP + FP + FN). Both count pixels of all images together.
    """
    hit = np.diag(counts).astype(np.float64)
    truth, predicted = counts.sum(1), counts.sum(0)[: len(counts)]
    there = np.flatnonzero(truth)
    iou = {int(c): float(hit[c] / (truth[c] + predicted[c] - hit[c])) for c in there}
    dice = {int(c): float(2 * hit[c] / (truth[c] + predicted[c])) for c in there}
    return iou, dice


def segmentation_metrics(counts: Int64) -> dict[str, float]:
    """``miou`` and ``dice``, means over the classes that the truth shows, and ``pixel_accuracy``; NaN without a pixel that counts."""
    iou, dice = shares(counts)
    if not iou:
        return dict.fromkeys(("miou", "dice", "pixel_accuracy"), float("nan"))
    return {
        "miou": float(np.mean(list(iou.values()))),
        "dice": float(np.mean(list(dice.values()))),
        "pixel_accuracy": float(np.diag(counts).sum() / counts.sum()),
    }


@dataclass(slots=True)
class SegmentationAccumulator:
    """Accumulates the confusion matrix of pixels image by image, for each group of images (``left_out.py``) on its own."""

    labels: tuple[str, ...]
    _images: int = 0
    _counts: Int64 = field(init=False)

    def __post_init__(self) -> None:
        self._counts = np.zeros((GROUPS, len(self.labels), len(self.labels) + 1), np.int64)

    def add(self, predicted: Image, truth: Image) -> None:
        """Add one image: two masks (H, W) with class ids of the dataset; raises ``ValueError`` for different sizes."""
        if predicted.shape != truth.shape:
            raise ValueError(f"a mask of {predicted.shape} can't be compared with one of {truth.shape}")
        self._counts[self._images % GROUPS] += confusion(truth, predicted, len(self.labels))
        self._images += 1

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added. Raises ``InputError`` where no pixel of the dataset has a class that counts."""
        counts = self._counts.sum(0)
        iou, _ = shares(counts)
        if not iou:
            raise InputError("the masks of the dataset have no pixel with a class", "name a dataset with other masks")
        pixels = counts.sum(1)
        return Score(
            task="segment",
            metric="miou",
            counted="pixels",
            measured="IoU",
            n=self._images,
            labels=self.labels,
            values=segmentation_metrics(counts),
            per_class={self.labels[c]: value for c, value in iou.items()},
            support={self.labels[c]: int(pixels[c]) for c in iou},
            notes=notes,
            left_out=self._left_out(counts),
        )

    def _left_out(self, counts: Int64) -> tuple[float, ...]:
        """The mean IoU without each group."""
        if self._images < LEAST:
            return ()
        found = [segmentation_metrics(counts - own)["miou"] for own in self._counts[: self._images]]
        return tuple(found) if np.isfinite(found).all() else ()
