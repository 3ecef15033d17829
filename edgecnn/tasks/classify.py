"""Classification: one score for each class of the whole image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.labels import label_of
from edgecnn.postprocess import CLASSIFIERS
from edgecnn.task_names import TaskName
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import named_score
from edgecnn.tasks.wrong import check_label_count, wrong_outputs, wrong_task
from edgecnn.types import Array, Classes, Float32, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classification import ClassificationAccumulator
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

RECORDED, SHOWN = 5, 3  # best classes in a record, in a line of text


class Classify(Task[Classes]):
    """Classification of whole images, measured by top-1."""

    name: ClassVar[TaskName] = "classify"
    prediction, model, data = Classes, "a classifier", "classes"
    decoders, default_decoder = tuple(CLASSIFIERS), "softmax"
    truth = "label"
    compared, metric, allowed_drop, golden = "labels", "top1", 0.005, ("classes",)

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``logits``."""
        return ("logits",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """One row of scores (1, C), also (1, C, 1, 1) and the like: a feature map (1, C, h, w) is none."""
        if len(outputs) != 1 or not is_row(outputs[0].shape):
            raise wrong_outputs(self.name, "one row of class scores", outputs)
        fix = "give a file with one class name per line"
        check_label_count(outputs[0], row_size(outputs[0].shape), card.labels, kind="classes", names="class names", fix=fix)

    def resembles(self, outputs: Sequence[TensorSpec]) -> bool:
        """One row of several numbers."""
        return len(outputs) == 1 and is_row(outputs[0].shape) and row_size(outputs[0].shape) > 1

    def compare(self, expected: Classes, got: Classes, tolerance: Tolerance) -> Agreement:
        """The labels; another one agrees where PyTorch gives both classes nearly the same score."""
        from edgecnn.parity import Agreement

        if expected.score.shape != got.score.shape or not np.isfinite(got.score).all():
            return Agreement(0, 1)
        gap = float(expected.score[expected.top1] - expected.score[got.top1])
        return Agreement(int(gap <= tolerance.tie), 1, (abs(float(expected.score.max() - got.score.max())),))

    def record(self, prediction: Classes, labels: Sequence[str]) -> dict[str, Any]:
        """The five best classes."""
        return {"classes": [named_score(labels, index, prediction.score[index]) for index in best(prediction, RECORDED)]}

    def headline(self, prediction: Classes, labels: Sequence[str]) -> str:
        """The best class and its score."""
        return f"{label_of(labels, prediction.top1)} {prediction.score[prediction.top1]:.2f}"

    def text(self, prediction: Classes, labels: Sequence[str]) -> list[str]:
        """The three best classes."""
        return [", ".join(f"{label_of(labels, index)} {prediction.score[index]:.2f}" for index in best(prediction, SHOWN))]

    def measures(self, prediction: Classes, pixels: int) -> dict[str, float]:
        """The highest score."""
        return {"score": float(prediction.score.max())} if len(prediction.score) else {}

    def said(self, prediction: Classes) -> tuple[int, ...]:
        """The class with the highest score."""
        return (prediction.top1,) if len(prediction.score) else ()

    def confidence(self, prediction: Classes) -> float:
        """The highest score."""
        return float(prediction.score.max(initial=0.0))

    def smoothed(self, prediction: Classes, average: Callable[[Float32], Float32]) -> Classes:
        """The average of the scores."""
        return Classes(average(prediction.score))

    def to_arrays(self, prediction: Classes) -> dict[str, Array]:
        """``classes`` (C,) float32."""
        return {"classes": prediction.score}

    def from_arrays(self, pick: Picker) -> Classes:
        """From ``classes`` (C,) float32."""
        return Classes(pick("classes", np.float32))

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Classes]:
        """Top-1, top-5, accuracy by class, confusion matrix, calibration error."""
        from edgecnn.metrics.classification import ClassificationAccumulator

        return _LabelAccumulator(ClassificationAccumulator(labels))


class _LabelAccumulator:
    def __init__(self, inner: ClassificationAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Classes, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.label is None:
            raise wrong_task(Classify.data, Classify.model, Classify.model)
        self._inner.add(classes.scores(prediction), sample.label)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def is_row(shape: Sequence[int]) -> bool:
    """Whether a shape is one row of numbers: (1, C), (C,) or, with sizes of 1 around, (1, C, 1, 1)."""
    return sum(size != 1 for size in shape) <= 1


def row_size(shape: Sequence[int]) -> int:
    """How many numbers a row has."""
    return max(shape, default=1)


def best(prediction: Classes, count: int) -> list[int]:
    """The classes with the highest scores, best first; a stable sort gives the same order on every machine if scores are equal."""
    order: list[int] = np.argsort(-prediction.score, kind="stable")[:count].tolist()
    return order
