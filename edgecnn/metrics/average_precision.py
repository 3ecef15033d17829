"""Computes mAP@50-95, AP50, AP75, AP by object size and AR as pycocotools does: https://cocodataset.org/#detection-eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.bootstrap import drawn_precision, intervals, precision_without
from edgecnn.metrics.box_matches import AREAS, BoxMatches
from edgecnn.metrics.class_matches import ClassMatches, weighted_precision
from edgecnn.metrics.ground_truth import GroundTruthBoxes
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Detections

AP50, AP75 = 0, 5  # places in the IoU thresholds 0.5, 0.55, ..., 0.95


@dataclass(slots=True)
class DetectionAccumulator:
    """Accumulates ground truth and detections image by image; keeps which detections are right, not the boxes."""

    labels: tuple[str, ...]
    _matches: BoxMatches = field(init=False)
    _rotated: bool = False

    def __post_init__(self) -> None:
        self._matches = BoxMatches(len(self.labels))

    def add(self, predicted: Detections, truth: GroundTruthBoxes) -> None:
        """Add one image: boxes in source pixels, class ids of the dataset.

        Where both sides have rotated boxes their exact IoU counts, else that of the upright ones.
        """
        self._rotated |= predicted.xywhr is not None and truth.corners is not None and bool(len(predicted) and len(truth.xyxy))
        self._matches.add(predicted, truth)

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added. Raises ``InputError`` without any ground truth box."""
        support = self._matches.support()
        present = [index for index in range(len(self.labels)) if support[index]]
        if not present:
            raise InputError("the dataset has no boxes to measure with", "name a dataset or split with boxes")
        matches = {area: self._matches.of_classes(present, area) for area in AREAS}
        precision = {area: average_precision(own) for area, own in matches.items()}
        everything = precision["all"]
        self._matches.drawn = drawn_precision(matches["all"], self._matches.images)
        return Score(
            task="detect",
            n=self._matches.images,
            labels=self.labels,
            metric="map",
            counted="boxes",
            measured="mAP@50-95",
            values=_values(precision, matches["all"]) | intervals(self._matches.drawn),
            per_class={self.labels[index]: float(own.mean()) for index, own in zip(present, everything, strict=True)},
            ap50_per_class={self.labels[index]: float(own[AP50]) for index, own in zip(present, everything, strict=True)},
            support={self.labels[index]: int(support[index]) for index in present},
            left_out=precision_without(matches["all"], self._matches.images),
            notes=(*notes, *(["rotated boxes are compared by the IoU of the rotated rectangles"] if self._rotated else [])),
            matches=self._matches,
        )


def average_precision(matches: Sequence[ClassMatches]) -> Array:
    """Average precision (classes, T) of all images; NaN for a class without objects."""
    found: Array = weighted_precision(matches, np.ones((1, len(matches[0].objects)), np.int64))[0]
    return found


def _values(precision: dict[str, Array], matches: list[ClassMatches]) -> dict[str, float]:
    everything = precision["all"]
    values = {
        "map": _mean(everything),
        "ap50": _mean(everything[:, AP50]),
        "ap75": _mean(everything[:, AP75]),
        **{f"ap_{area}": _mean(own) for area, own in precision.items() if area != "all"},
        "ar": float(np.mean([item.recall() for item in matches])),
    }
    return {name: value for name, value in values.items() if not np.isnan(value)}


def _mean(values: Array) -> float:
    """The mean of the values of classes that have objects; NaN if none has any."""
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else float("nan")
