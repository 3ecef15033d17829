"""Pose: the key points of each object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.geometry import poses_to_source
from edgecnn.labels import label_of
from edgecnn.postprocess import POSE_DECODERS
from edgecnn.preprocess import Geometry
from edgecnn.schema import SchemaError
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.wrong import check_label_count, wrong_outputs, wrong_task
from edgecnn.types import Array, Poses, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.pose_precision import PoseAccumulator
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

SHOWN = 20  # objects in the terminal


class Pose(Task[Poses]):
    """Key points of objects, measured by COCO's AP of the key point similarity (OKS)."""

    name, prediction, model, data = "pose", Poses, "a pose network", "key points"
    decoders, default_decoder = tuple(POSE_DECODERS), ""
    compared, metric, golden = "objects", "oks_ap", ("poses", "points")
    truth, resize = "points", "letterbox"
    has_classes, has_threshold = False, True

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """``centres`` and ``offsets`` of EdgePose, ``heatmaps`` of a single output."""
        return ("centres", "offsets") if decoder == "centres" and count == 2 else ("heatmaps",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """Offsets or heat maps for each label; the decoders check what others give."""
        if card.decode.name == "centres":
            offsets = next((spec for spec in outputs if spec.name == "offsets"), None)
            if offsets is None or len(offsets.shape) != 4:
                raise wrong_outputs(
                    self.name, "centres and offsets, both (1, channels, height, width), for the decoder centres", outputs
                )
            fix = "give one name for each key point"
            check_label_count(offsets, offsets.shape[1] // 2, card.labels, kind="key points", names="names", fix=fix)

    def to_source(self, prediction: Poses, place: Geometry) -> Poses:
        """Points and boxes in pixels of the source; points may lie outside of it."""
        return poses_to_source(prediction, place)

    def compare(self, expected: Poses, got: Poses, tolerance: Tolerance) -> Agreement:
        """Matched in both directions: the distance of key points relative to the object, as OKS, is at least the IoU limit."""
        from edgecnn.metrics.key_points import oks_matrix, sigmas
        from edgecnn.metrics.match import greedy
        from edgecnn.parity import Agreement

        floor = tolerance.floor or 0.0
        wanted, found = expected[expected.score >= floor], got[got.score >= floor]
        total = len(wanted) + len(found)
        if not len(expected) or not len(got) or expected.points.shape[1] != got.points.shape[1]:
            return Agreement(0, total)
        truth = np.concatenate([expected.points[..., :2], np.full((*expected.points.shape[:2], 1), 2, np.float32)], 2)
        area = (expected.xyxy[:, 2:] - expected.xyxy[:, :2]).prod(1)
        close = oks_matrix(truth, got.points, area, sigmas(truth.shape[1]))
        pairs = greedy(close.astype(np.float32), np.argsort(-expected.score, kind="stable"), tolerance.iou)
        left, right = pairs[:, 0], pairs[:, 1]
        kept = expected.score[left] >= floor
        gaps = np.abs(expected.score[left] - got.score[right])[kept]
        return Agreement(int(kept.sum() + (got.score[right] >= floor).sum()), total, tuple(gaps.tolist()))

    def record(self, prediction: Poses, labels: Sequence[str]) -> dict[str, Any]:
        """All objects: score, box and key points in pixels."""
        return {"poses": [_record(prediction, labels, index) for index in range(len(prediction))]}

    def headline(self, prediction: Poses, labels: Sequence[str]) -> str:
        """The number of objects."""
        return _objects(len(prediction))

    def text(self, prediction: Poses, labels: Sequence[str]) -> list[str]:
        """The number of objects, then a line with the key points of each of the best."""
        order = np.argsort(-prediction.score, kind="stable").tolist()
        lines = [f"  {prediction.score[index]:.2f}  {_places(prediction, labels, index)}" for index in order[:SHOWN]]
        more = len(order) - SHOWN
        lines += [f"  and {more} more with lower scores"] if more > 0 else []
        return [_objects(len(order)), *lines]

    def measures(self, prediction: Poses, pixels: int) -> dict[str, float]:
        """The number of objects, and their mean score."""
        scored = {"score": float(prediction.score.mean())} if len(prediction) else {}
        return {"objects": float(len(prediction)), **scored}

    def at_least(self, prediction: Poses, score: float) -> Poses:
        """The objects with at least that score."""
        return prediction[prediction.score >= score]

    def confidence(self, prediction: Poses) -> float:
        """The highest score."""
        return float(prediction.score.max(initial=0.0))

    def to_arrays(self, prediction: Poses) -> dict[str, Array]:
        """``poses`` (n, 5) float32: corners and score; ``points`` (n K, 3) float32: x, y and score."""
        rows = np.column_stack([prediction.xyxy, prediction.score]).astype(np.float32)
        return {"poses": rows, "points": prediction.points.reshape(-1, 3)}

    def from_arrays(self, pick: Picker) -> Poses:
        """From ``poses`` (n, 5) and ``points`` (n K, 3) float32."""
        rows, points = pick("poses", np.float32, 5), pick("points", np.float32, 3)
        keys = len(points) // max(len(rows), 1)
        if len(points) != keys * len(rows):
            raise SchemaError("the array points has not as many key points for each object")
        if not ((np.abs(rows) < 2**31).all() and (np.abs(points) < 2**31).all()):
            raise SchemaError("the array poses or points has places out of any image")
        return Poses(points.reshape(len(rows), keys, 3), np.ascontiguousarray(rows[:, 4]), np.ascontiguousarray(rows[:, :4]))

    def check_measure(self) -> None:
        """AP needs pycocotools."""
        from edgecnn.metrics.pose_precision import load_pycocotools

        load_pycocotools()

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Poses]:
        """COCO's AP and AR of key points."""
        from edgecnn.metrics.pose_precision import PoseAccumulator

        self.check_measure()
        return _PoseMeasure(PoseAccumulator(labels))


class _PoseMeasure:
    def __init__(self, inner: PoseAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Poses, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.boxes is None or sample.points is None:
            raise wrong_task(Pose.data, Pose.model, Pose.model)
        self._inner.add(classes.poses(prediction), sample.boxes, sample.points)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def _record(poses: Poses, labels: Sequence[str], index: int) -> dict[str, Any]:
    points = [
        {"label": label_of(labels, key), "x": round(x, 2), "y": round(y, 2), "score": round(score, 4)}
        for key, (x, y, score) in enumerate(poses.points[index].tolist())
    ]
    box = [round(edge, 2) for edge in poses.xyxy[index].tolist()]
    return {"score": round(float(poses.score[index]), 4), "xyxy": box, "points": points}


def _places(poses: Poses, labels: Sequence[str], index: int) -> str:
    points = enumerate(poses.points[index].tolist())
    return "  ".join(f"{label_of(labels, key)} {x:.0f},{y:.0f}" for key, (x, y, _) in points)


def _objects(count: int) -> str:
    return counted(count, "object")
