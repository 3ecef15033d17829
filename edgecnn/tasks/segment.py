"""Semantic segmentation: the class of each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.geometry import mask_to_source
from edgecnn.labels import BACKGROUND, is_background, label_of
from edgecnn.postprocess import SEGMENTERS
from edgecnn.preprocess import Geometry
from edgecnn.rle import encode
from edgecnn.schema import SchemaError
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import shape_text
from edgecnn.tasks.wrong import wrong_outputs, wrong_task
from edgecnn.types import NO_CLASS, Array, Mask, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.score import Score
    from edgecnn.metrics.segmentation import SegmentationAccumulator
    from edgecnn.parity import Agreement, Tolerance

NAMED = 4  # classes in a headline
LEAST_SIDE = 4  # of a map; smaller ones are more likely the scores of a few boxes


class Segment(Task[Mask]):
    """Semantic segmentation, measured by the mean IoU of the classes."""

    name, prediction, model, data = "segment", Mask, "a segmentation network", "masks"
    decoders, default_decoder = tuple(SEGMENTERS), "argmax"
    compared, metric, golden = "pixels", "miou", ("mask",)
    truth, resize = "mask", "letterbox"

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``logits``."""
        return ("logits",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """A map with a score for each label (1, C, h, w) or (1, h, w, C), or a map of class ids."""
        maps = [spec for spec in outputs if is_map(spec.shape)]
        if not maps:
            raise wrong_outputs(self.name, "a map with a score of each class for each place", outputs)
        labels = len(card.labels)
        if not any(is_ids(spec.shape) or labels in (spec.shape[1], spec.shape[-1]) for spec in maps):
            spec = maps[0]
            counts = f"{spec.shape[1]} or {spec.shape[-1]}"
            problem = f"--labels: {labels} class names for {counts} classes (output {spec.name} {shape_text(spec.shape)})"
            raise InputError(problem, f"give one name for each class; an output without objects is called {BACKGROUND}")

    def resembles(self, outputs: Sequence[TensorSpec]) -> bool:
        """One map."""
        return len(outputs) == 1 and is_map(outputs[0].shape)

    def to_source(self, prediction: Mask, place: Geometry) -> Mask:
        """The mask at the size of the source."""
        return Mask(mask_to_source(prediction.class_id, place))

    def compare(self, expected: Mask, got: Mask, tolerance: Tolerance) -> Agreement:
        """Equal pixels among those that either mask gives to a class other than the most frequent one.

        Of all pixels, most are background, and a network that sees nothing else would agree on them.
        """
        from edgecnn.parity import Agreement

        if expected.class_id.shape != got.class_id.shape:
            return Agreement(0, 1)
        usual = np.bincount(expected.class_id.ravel(), minlength=1).argmax()
        either = (expected.class_id != usual) | (got.class_id != usual)
        same = (expected.class_id == got.class_id) & either
        return Agreement(int(same.sum()), int(either.sum()))

    def record(self, prediction: Mask, labels: Sequence[str]) -> dict[str, Any]:
        """Each class but the background that is there: its pixels, and its mask as COCO's run-length encoding."""
        return {"segments": [_segment(prediction, labels, class_id, count) for class_id, count in classes_of(prediction, labels)]}

    def headline(self, prediction: Mask, labels: Sequence[str]) -> str:
        """The classes that cover most, with their share of the image."""
        found = classes_of(prediction, labels)
        named = [f"{label_of(labels, class_id)} {_share(count, prediction)}" for class_id, count in found[:NAMED]]
        return ", ".join(named + (["..."] if len(found) > NAMED else []))

    def text(self, prediction: Mask, labels: Sequence[str]) -> list[str]:
        """The number of classes, then a line for each."""
        found = classes_of(prediction, labels)
        wide = max((len(label_of(labels, class_id)) for class_id, _ in found), default=0)
        lines = [f"  {label_of(labels, class_id):<{wide}}  {_share(count, prediction):>6}" for class_id, count in found]
        return [counted(len(found), "class"), *lines]

    def to_arrays(self, prediction: Mask) -> dict[str, Array]:
        """``mask`` (n, 2) int64: height and width, then class and length of each run, row by row."""
        pixels = prediction.class_id.ravel()
        starts = np.concatenate([[0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1])
        lengths = np.diff(np.concatenate([starts, [pixels.size]]))
        rows = np.column_stack([pixels[starts], lengths]).astype(np.int64)
        return {"mask": np.concatenate([np.array([prediction.class_id.shape], np.int64), rows])}

    def from_arrays(self, pick: Picker) -> Mask:
        """From ``mask`` (n, 2) int64."""
        rows = pick("mask", np.int64, 2)
        if not len(rows) or rows.min() < 0 or rows[1:, 0].max(initial=0) > NO_CLASS or rows[0].max() > 1 << 16:
            raise SchemaError("the array mask has no mask")
        height, width = rows[0].tolist()
        if int(rows[1:, 1].sum()) != height * width:
            raise SchemaError("the array mask has not as many pixels as its size")
        return Mask(np.repeat(rows[1:, 0].astype(np.uint8), rows[1:, 1]).reshape(height, width))

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Mask]:
        """Mean IoU, mean Dice, pixel accuracy."""
        from edgecnn.metrics.segmentation import SegmentationAccumulator

        return _MaskAccumulator(SegmentationAccumulator(labels))


class _MaskAccumulator:
    def __init__(self, inner: SegmentationAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Mask, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.mask is None:
            raise wrong_task(Segment.data, Segment.model, Segment.model)
        self._inner.add(classes.mask(prediction).class_id, sample.mask())

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def is_map(shape: Sequence[int]) -> bool:
    """Whether a tensor can hold a score, or an id, for each place of one image."""
    return is_ids(shape) or (len(shape) == 4 and sum(side >= LEAST_SIDE or side < 0 for side in shape[1:]) >= 2)


def is_ids(shape: Sequence[int]) -> bool:
    """Whether a tensor has a single number for each place."""
    return len(shape) in (3, 4) and len([side for side in shape if side != 1]) == 2


def classes_of(mask: Mask, labels: Sequence[str]) -> list[tuple[int, int]]:
    """Id and number of pixels of each class in the mask, the largest first, without background."""
    counts = np.bincount(mask.class_id.ravel(), minlength=NO_CLASS + 1)
    found = [int(c) for c in np.flatnonzero(counts[:NO_CLASS]) if not is_background(labels, int(c))]
    return sorted(((c, int(counts[c])) for c in found), key=lambda pair: -pair[1])


def _segment(mask: Mask, labels: Sequence[str], class_id: int, count: int) -> dict[str, Any]:
    rle = encode(mask.class_id == class_id)
    return {"label": label_of(labels, class_id), "class_id": class_id, "pixels": count, "rle": rle}


def _share(count: int, mask: Mask) -> str:
    return f"{100 * count / max(mask.class_id.size, 1):.1f} %"
