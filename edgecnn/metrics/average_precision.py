"""Computes mAP@50-95, AP50, AP75, AP by object size and AR by pycocotools: https://cocodataset.org/#detection-eval."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.bootstrap import intervals, precision_without
from edgecnn.metrics.ground_truth import GroundTruthBoxes
from edgecnn.metrics.score import Score
from edgecnn.rotated import from_corners, overlap
from edgecnn.system_errors import missing_extra
from edgecnn.types import Array, Detections, Float32, Int64

# the order of pycocotools' areaRng: small is below 32 x 32 pixels, large above 96 x 96
AREAS = {"all": 0, "small": 1, "medium": 2, "large": 3}
AP50, AP75 = 0, 5  # positions in pycocotools' IoU thresholds 0.5, 0.55, ..., 0.95


def load_pycocotools() -> tuple[Any, Any]:
    """The classes COCO and COCOeval; raises ``MissingExtraError`` without pycocotools."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise missing_extra(error, "pycocotools", "measure") from error
    return COCO, COCOeval


@dataclass(slots=True)
class DetectionAccumulator:
    """Accumulates ground truth and detections image by image."""

    labels: tuple[str, ...]
    _images: int = 0
    _truth: list[dict[str, Any]] = field(default_factory=list)
    _predicted: list[dict[str, Any]] = field(default_factory=list)
    _rotated: dict[tuple[int, int], float] = field(default_factory=dict)  # IoU by the numbers of a detection and a true box
    _rotated_images: set[int] = field(default_factory=set)

    def add(self, predicted: Detections, truth: GroundTruthBoxes) -> None:
        """Add one image: boxes in source pixels, class ids of the dataset.

        Where both sides have rotated boxes their exact IoU counts, else that of the upright ones.
        """
        self._images += 1
        found = _area(predicted.xyxy)
        if predicted.xywhr is not None and truth.corners is not None:
            found = predicted.xywhr[:, 2:4].prod(axis=1)
            self._add_rotated(predicted.xywhr, predicted.class_id, truth)
        area = _area(truth.xyxy, truth.corners) if truth.area is None else truth.area
        crowd = np.zeros(len(truth.xyxy), np.bool_) if truth.crowd is None else truth.crowd
        self._truth += [
            self._record(row, class_id, len(self._truth) + index, area=float(size), iscrowd=int(is_crowd))
            for index, (row, class_id, size, is_crowd) in enumerate(zip(truth.xyxy, truth.class_id, area, crowd, strict=True), 1)
        ]
        self._predicted += [
            self._record(row, class_id, len(self._predicted) + index, area=float(size), iscrowd=0, score=float(score))
            for index, (row, class_id, size, score) in enumerate(
                zip(predicted.xyxy, predicted.class_id, found, predicted.score, strict=True), 1
            )
        ]

    def _add_rotated(self, boxes: Float32, class_id: Int64, truth: GroundTruthBoxes) -> None:
        """Keep the IoU of each pair of a class, by the numbers that its records get."""
        shapes = from_corners(truth.corners)
        found = overlap(boxes, shapes)
        first, second = len(self._predicted) + 1, len(self._truth) + 1
        for row, column in zip(*np.nonzero(class_id[:, None] == truth.class_id[None]), strict=True):
            self._rotated[first + int(row), second + int(column)] = float(found[row, column])
        self._rotated_images.add(self._images)

    def _record(self, xyxy: Float32, class_id: int, number: int, **more: float) -> dict[str, Any]:
        """One COCO annotation; ids begin at 1, because 0 means "no match" inside pycocotools."""
        x1, y1, x2, y2 = (float(value) for value in xyxy)
        bbox = [x1, y1, x2 - x1, y2 - y1]
        return {"id": number, "image_id": self._images, "category_id": int(class_id) + 1, "bbox": bbox, **more}

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added. Raises ``InputError`` without any ground truth box, ``MissingExtraError`` without pycocotools."""
        counted = [record["category_id"] - 1 for record in self._truth if not record["iscrowd"]]
        if not counted:
            raise InputError("the dataset has no boxes to measure with", "name a dataset or split with boxes")
        run = self._run()
        result = run.eval
        # the index -1 on the last axis below is maxDets 100, the limit of the COCO metrics
        precision, recall = result["precision"], result["recall"]
        support = np.bincount(counted, minlength=len(self.labels))
        present = [index for index in range(len(self.labels)) if support[index]]
        return Score(
            task="detect",
            n=self._images,
            labels=self.labels,
            metric="map",
            counted="boxes",
            measured="mAP@50-95",
            values=_values(precision, recall) | intervals(run),
            per_class={self.labels[index]: _mean(precision[:, :, index, AREAS["all"], -1]) for index in present},
            ap50_per_class={self.labels[index]: _mean(precision[AP50, :, index, AREAS["all"], -1]) for index in present},
            support={self.labels[index]: int(support[index]) for index in present},
            left_out=precision_without(run),
            notes=(*notes, *(["rotated boxes are compared by the IoU of the rotated rectangles"] if self._rotated else [])),
        )

    def _run(self) -> Any:
        """An accumulated COCOeval: ``eval`` has precision (T, R, K, A, M) and recall (T, K, A, M), -1 for a class without objects.

        T IoU thresholds, R recall levels, K classes, A area ranges, M limits on detections per image.
        """
        coco, evaluator = load_pycocotools()
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            run = evaluator(self._index(coco, self._truth), self._index(coco, self._predicted), "bbox")
            if self._rotated:
                run.computeIoU = functools.partial(self._overlaps, run, run.computeIoU)
            run.evaluate()
            run.accumulate()
        return run

    def _overlaps(self, run: Any, upright: Callable[[int, int], Any], image: int, category: int) -> Any:
        """In place of COCOeval.computeIoU: (detections, true boxes) of one class in one image, the best detections first."""
        if image not in self._rotated_images:
            return upright(image, category)
        truth, found = run._gts[image, category], run._dts[image, category]
        best = np.argsort([-one["score"] for one in found], kind="mergesort")[: run.params.maxDets[-1]]
        rows = [[self._rotated.get((found[index]["id"], one["id"]), 0.0) for one in truth] for index in best]
        return np.array(rows) if truth and found else []

    def _index(self, coco: Any, annotations: list[dict[str, Any]]) -> Any:
        index = coco()
        index.dataset = {
            "images": [{"id": number} for number in range(1, self._images + 1)],
            "categories": [{"id": number, "name": name} for number, name in enumerate(self.labels, 1)],
            "annotations": annotations,
        }
        index.createIndex()
        return index


def _values(precision: Array, recall: Array) -> dict[str, float]:
    everything = precision[..., AREAS["all"], -1]
    values = {
        "map": _mean(everything),
        "ap50": _mean(everything[AP50]),
        "ap75": _mean(everything[AP75]),
        **{f"ap_{name}": _mean(precision[..., index, -1]) for name, index in AREAS.items() if index},
        "ar": _mean(recall[..., AREAS["all"], -1]),
    }
    return {name: value for name, value in values.items() if not np.isnan(value)}


def _mean(values: Array) -> float:
    """The mean of the values that are not -1; NaN if all are."""
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else float("nan")


def _area(xyxy: Float32, corners: Float32 | None = None) -> Float32:
    """Of the rotated boxes where there are corners, else of the upright ones."""
    sides = xyxy[:, 2:] - xyxy[:, :2] if corners is None else from_corners(corners)[:, 2:4]
    area: Float32 = sides.prod(axis=1)
    return area
