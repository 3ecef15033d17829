"""Computes the AP of key points by OKS with pycocotools: https://cocodataset.org/#keypoints-eval."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.bootstrap import precision_without
from edgecnn.metrics.class_matches import ClassMatches
from edgecnn.metrics.ground_truth import GroundTruthBoxes
from edgecnn.metrics.key_points import sigmas
from edgecnn.metrics.score import Score
from edgecnn.system_errors import missing_extra
from edgecnn.types import Float32, Poses

# positions in COCOeval.stats for key points; -1 in a value means that there was nothing to measure
STATS = {"oks_ap": 0, "oks_ap50": 1, "oks_ap75": 2, "oks_ap_medium": 3, "oks_ap_large": 4, "oks_ar": 5}


def load_pycocotools() -> tuple[Any, Any]:
    """The classes COCO and COCOeval; raises ``MissingExtraError`` without pycocotools."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise missing_extra(error, "pycocotools", "measure") from error
    return COCO, COCOeval


@dataclass(slots=True)
class PoseAccumulator:
    """Accumulates true and predicted key points image by image; ``labels`` are the names of the key points."""

    labels: tuple[str, ...]
    deviations: Sequence[float] = ()
    _images: int = 0
    _truth: list[dict[str, Any]] = field(default_factory=list)
    _predicted: list[dict[str, Any]] = field(default_factory=list)

    def add(self, predicted: Poses, boxes: GroundTruthBoxes, points: Float32) -> None:
        """Add one image in source pixels: ``points`` (n, K, 3) with visibility belong to ``boxes``, whose area is the scale of OKS.

        Where the dataset has no area, that of the box is used. An object without a labelled key point does not count.
        """
        self._images += 1
        area = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1) if boxes.area is None else boxes.area
        crowd = np.zeros(len(points), np.bool_) if boxes.crowd is None else boxes.crowd
        for keys, box, size, is_crowd in zip(points, boxes.xyxy, area, crowd, strict=True):
            more = {"area": float(size), "iscrowd": int(is_crowd), "num_keypoints": int((keys[:, 2] > 0).sum())}
            self._truth.append(self._record(keys, box, len(self._truth) + 1, **more))
        for keys, box, score in zip(predicted.points, predicted.xyxy, predicted.score, strict=True):
            self._predicted.append(self._record(keys, box, len(self._predicted) + 1, score=float(score), area=1.0, iscrowd=0))

    def _record(self, keys: Float32, xyxy: Float32, number: int, **more: float) -> dict[str, Any]:
        """One COCO annotation; ids begin at 1, because 0 means "no match" inside pycocotools."""
        x1, y1, x2, y2 = (float(value) for value in xyxy)
        record = {"id": number, "image_id": self._images, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        return {**record, "keypoints": [float(value) for value in keys.ravel()], **more}

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added. Raises ``InputError`` without any labelled object, ``MissingExtraError`` without pycocotools."""
        counted = sum(1 for record in self._truth if record["num_keypoints"] and not record["iscrowd"])
        if not counted:
            raise InputError("the dataset has no key points to measure with", "name a dataset or split with key points")
        run = self._run()
        stats = run.stats
        values = {name: float(stats[place]) for name, place in STATS.items() if stats[place] > -1}
        return Score(
            task="pose",
            metric="oks_ap",
            counted="objects",
            measured="OKS AP",
            n=self._images,
            labels=self.labels,
            values=values,
            per_class={},
            support={},
            left_out=precision_without([class_matches(run)], self._images),
            notes=(*notes, f"{counted:,} objects with key points"),
        )

    def _run(self) -> Any:
        """An evaluated COCOeval with its ``stats``."""
        coco, evaluator = load_pycocotools()
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            run = evaluator(self._index(coco, self._truth), self._index(coco, self._predicted), "keypoints")
            run.params.kpt_oks_sigmas = np.asarray(sigmas(len(self.labels), self.deviations))
            run.evaluate()
            run.accumulate()
            run.summarize()
        return run

    def _index(self, coco: Any, annotations: list[dict[str, Any]]) -> Any:
        index = coco()
        index.dataset = {
            "images": [{"id": number} for number in range(1, self._images + 1)],
            "categories": [{"id": 1, "name": "object", "keypoints": list(self.labels)}],
            "annotations": annotations,
        }
        index.createIndex()
        return index


def class_matches(run: Any) -> ClassMatches:
    """The matches of the only class of an evaluated COCOeval, over objects of all sizes."""
    # evalImgs is a flat list in the order area range, image; area range 0 is "all"
    row = run.evalImgs[: len(run.params.imgIds)]
    objects = np.array([0 if item is None else int((np.asarray(item["gtIgnore"]) == 0).sum()) for item in row], np.int64)
    levels = len(run.params.iouThrs)
    found = [(index, item) for index, item in enumerate(row) if item is not None and len(item["dtScores"])]
    image = np.concatenate([np.zeros(0, np.int64), *(np.full(len(item["dtScores"]), index) for index, item in found)])
    score = np.concatenate([np.zeros(0), *(item["dtScores"] for _, item in found)])
    matched = np.concatenate([np.zeros((levels, 0)), *(item["dtMatches"] for _, item in found)], 1) > 0
    ignored = np.concatenate([np.zeros((levels, 0)), *(item["dtIgnore"] for _, item in found)], 1) > 0
    order = np.argsort(-score, kind="stable")  # keeps the order of ties, as in pycocotools
    right, aside = matched[:, order], ignored[:, order]
    return ClassMatches(image[order].astype(np.int64), score[order].astype(np.float32), right & ~aside, ~right & ~aside, objects)
