"""Detection: boxes with a class and a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.labels import label_of
from edgecnn.postprocess import DETECTORS
from edgecnn.postprocess.final_boxes import FINAL_BOXES, final_boxes, rows_in_order
from edgecnn.preprocess import Geometry
from edgecnn.rotated import corners
from edgecnn.schema import SchemaError
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import named_score
from edgecnn.tasks.wrong import check_label_count, wrong_task
from edgecnn.types import Array, Detections, Tensors, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.average_precision import DetectionAccumulator
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

NAMED, SHOWN = 4, 50  # classes in a headline, boxes in the terminal


class Detect(Task[Detections]):
    """Detection of objects, measured by mAP@50-95."""

    name, prediction, model, data = "detect", Detections, "a detector", "boxes"
    decoders = tuple(DETECTORS)
    compared, metric, golden = "boxes", "map", ("boxes",)
    has_boxes = has_threshold = True
    truth = "boxes"
    resize = "letterbox"

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """``boxes`` and ``scores`` of an fcos head; other heads have no usual names."""
        return ("boxes", "scores") if decoder == "fcos" and count == 2 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """The scores of an fcos head; the decoders check what other heads give."""
        scores = outputs[-1]
        if card.decode.name == "fcos" and scores.name == "scores":
            fix = "give a file with one class name per line"
            check_label_count(scores, scores.shape[-1], card.labels, kind="classes", names="class names", fix=fix)

    def to_source(self, prediction: Detections, place: Geometry) -> Detections:
        """Boxes in pixels of the source, clipped to it."""
        return place.to_source(prediction)

    def compare(self, expected: Detections, got: Detections, tolerance: Tolerance) -> Agreement:
        """Matched in both directions, so a missing and an additional box count equally; the score of the match is not limited."""
        from edgecnn.metrics.match import match
        from edgecnn.parity import Agreement

        floor = tolerance.floor or 0.0
        found = match(expected, got, iou=tolerance.iou)
        expected_kept, got_kept = expected.score >= floor, got.score >= floor
        left, right = found.pairs[:, 0], found.pairs[:, 1]
        same = int(expected_kept[left].sum() + got_kept[right].sum())
        gaps = np.abs(found.score_difference[expected_kept[left]])
        return Agreement(same, int(expected_kept.sum() + got_kept.sum()), tuple(float(gap) for gap in gaps))

    def in_order(self, outputs: Tensors, card: ModelCard, expected: Detections, place: Geometry | None, iou: float) -> Tensors:
        """The rows of a graph that ends in NMS: nearly equal scores may change places in another engine."""
        from edgecnn.metrics.match import match

        if card.decode.name != FINAL_BOXES:
            return outputs
        found = final_boxes(outputs, card)
        pairs = match(expected, found if place is None else self.to_source(found, place), iou=iou).pairs
        return rows_in_order(found, pairs, outputs)

    def record(self, prediction: Detections, labels: Sequence[str]) -> dict[str, Any]:
        """All boxes: class, score, corners in pixels, track; of rotated boxes also the four corners and the angle in radians."""
        return {"detections": [_box(prediction, labels, index) for index in range(len(prediction))]}

    def headline(self, prediction: Detections, labels: Sequence[str]) -> str:
        """The number of boxes of the most frequent classes."""
        counted = Counter(prediction.class_id.tolist()).most_common()
        named = [f"{count} {label_of(labels, class_id)}" for class_id, count in counted[:NAMED]]
        return ", ".join(named + (["..."] if len(counted) > NAMED else []))

    def text(self, prediction: Detections, labels: Sequence[str]) -> list[str]:
        """The number of boxes, then a line for each of the best."""
        count = len(prediction)
        return [counted(count, "object"), *_lines(prediction, labels)]

    def confidence(self, prediction: Detections) -> float:
        """The highest score."""
        return float(prediction.score.max(initial=0.0))

    def measures(self, prediction: Detections, pixels: int) -> dict[str, float]:
        """The number of boxes, their mean score, and the root of their mean share of the image."""
        if not len(prediction):
            return {"boxes": 0.0}
        left, top, right, bottom = prediction.xyxy.T
        share = float(((right - left) * (bottom - top)).mean()) / pixels
        return {"boxes": float(len(prediction)), "score": float(prediction.score.mean()), "box size": max(share, 0.0) ** 0.5}

    def said(self, prediction: Detections) -> tuple[int, ...]:
        """The class of each box."""
        return tuple(prediction.class_id.tolist())

    def at_least(self, prediction: Detections, score: float) -> Detections:
        """The boxes with at least that score."""
        return prediction[prediction.score >= score]

    def to_arrays(self, prediction: Detections) -> dict[str, Array]:
        """``boxes`` (n, 6) float32: corners, score, class; (n, 11) with the rotated boxes."""
        rows = np.column_stack([prediction.xyxy, prediction.score, prediction.class_id])
        rows = rows if prediction.xywhr is None else np.column_stack([rows, prediction.xywhr])
        return {"boxes": rows.astype(np.float32)}

    def from_arrays(self, pick: Picker) -> Detections:
        """From ``boxes`` (n, 6) or (n, 11) float32."""
        rows = pick("boxes", np.float32, (6, 11))
        if not (np.abs(rows) < 2**31).all():
            raise SchemaError("the array boxes has boxes out of any image")
        xywhr = rows[:, 6:] if rows.shape[1] > 6 else None
        return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64), xywhr=xywhr)

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Detections]:
        """MAP, AP50, AP75, AP by size, AR; by the IoU of rotated boxes where both sides have them."""
        from edgecnn.metrics.average_precision import DetectionAccumulator

        return _BoxAccumulator(DetectionAccumulator(labels))


class _BoxAccumulator:
    def __init__(self, inner: DetectionAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Detections, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.boxes is None:
            raise wrong_task(Detect.data, Detect.model, Detect.model)
        # after mapping: ``unlabelled`` holds ids of the dataset
        self._inner.add(labelled_only(classes.detections(prediction), sample.unlabelled), sample.boxes)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def labelled_only(predicted: Detections, unlabelled: frozenset[int]) -> Detections:
    """The detections of classes that are labelled in this image; the others can be neither true nor false positives."""
    return predicted[~np.isin(predicted.class_id, list(unlabelled))] if unlabelled else predicted


def _box(found: Detections, labels: Sequence[str], index: int) -> dict[str, Any]:
    record = named_score(labels, int(found.class_id[index]), found.score[index])
    record["xyxy"] = [round(edge, 2) for edge in found.xyxy[index].tolist()]
    if found.xywhr is not None:
        record["corners"] = np.round(corners(found.xywhr[index : index + 1])[0].astype(np.float64), 2).tolist()
        record["angle"] = round(float(found.xywhr[index, 4]), 4)
    if found.track_id is not None:
        record["track_id"] = int(found.track_id[index])
    return record


def _lines(found: Detections, labels: Sequence[str]) -> list[str]:
    order = (-found.score).argsort(kind="stable").tolist()
    names = [label_of(labels, class_id) for class_id in found.class_id.tolist()]
    wide = max((len(names[index]) for index in order[:SHOWN]), default=0)
    lines = []
    for index in order[:SHOWN]:
        left, top, right, bottom = (round(edge) for edge in found.xyxy[index].tolist())
        angle = "" if found.xywhr is None else f", {np.rad2deg(found.xywhr[index, 4]):.0f}°"
        lines.append(f"  {names[index]:<{wide}}  {found.score[index]:.2f}  {left},{top} to {right},{bottom}{angle}")
    more = len(order) - SHOWN
    return [*lines, f"  and {more} more with lower scores"] if more > 0 else lines
