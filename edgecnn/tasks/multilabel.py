"""Multi-label classification: a score for each label of the whole image, of which any number apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.labels import label_of
from edgecnn.postprocess import MULTILABEL
from edgecnn.schema import SchemaError
from edgecnn.tasks.classify import is_row, row_size
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import named_score
from edgecnn.tasks.wrong import check_label_count, wrong_outputs, wrong_task
from edgecnn.types import Array, Float32, LabelScores, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.multilabel import MultiLabelAccumulator
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

SHOWN = 6  # labels in a line of text


class MultiLabel(Task[LabelScores]):
    """Classification of images that have any number of labels, measured by the mean average precision of the labels."""

    name, prediction, model, data = "multilabel", LabelScores, "a multi-label classifier", "labels"
    decoders, default_decoder = tuple(MULTILABEL), "sigmoid"
    truth = "labels"
    compared, metric, golden = "labels", "label_map", ("labels", "threshold")

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``logits``."""
        return ("logits",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """One row of scores (1, C), also (1, C, 1, 1) and the like."""
        if len(outputs) != 1 or not is_row(outputs[0].shape):
            raise wrong_outputs(self.name, "one row of label scores", outputs)
        fix = "give a file with one name per line"
        check_label_count(outputs[0], row_size(outputs[0].shape), card.labels, kind="scores", names="names", fix=fix)

    def compare(self, expected: LabelScores, got: LabelScores, tolerance: Tolerance) -> Agreement:
        """Each label that one side gives counts; it agrees on both sides, or where PyTorch's score is at the threshold."""
        from edgecnn.parity import Agreement

        if expected.score.shape != got.score.shape or not np.isfinite(got.score).all():
            return Agreement(0, 1)
        given = expected.chosen | got.chosen
        close = np.abs(expected.score - expected.threshold) <= tolerance.tie
        same = given & ((expected.chosen == got.chosen) | close)
        gaps = np.abs(expected.score - got.score)[given]
        return Agreement(int(same.sum()), int(given.sum()), tuple(float(gap) for gap in gaps))

    def record(self, prediction: LabelScores, labels: Sequence[str]) -> dict[str, Any]:
        """The labels that apply, best first."""
        return {"labels": [named_score(labels, index, prediction.score[index]) for index in chosen(prediction)]}

    def headline(self, prediction: LabelScores, labels: Sequence[str]) -> str:
        """The first few labels that apply."""
        found = chosen(prediction)
        named = [label_of(labels, index) for index in found[:SHOWN]]
        return ", ".join(named + (["..."] if len(found) > SHOWN else [])) or "no label"

    def text(self, prediction: LabelScores, labels: Sequence[str]) -> list[str]:
        """The labels that apply with their scores."""
        found = chosen(prediction)
        named = [f"{label_of(labels, index)} {prediction.score[index]:.2f}" for index in found[:SHOWN]]
        return [", ".join(named + ([f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])) or "no label"]

    def measures(self, prediction: LabelScores, pixels: int) -> dict[str, float]:
        """The number of labels that apply, and their mean score."""
        chosen = prediction.score[prediction.chosen]
        return {"labels": float(len(chosen)), **({"score": float(chosen.mean())} if len(chosen) else {})}

    def said(self, prediction: LabelScores) -> tuple[int, ...]:
        """The labels that apply."""
        return tuple(np.flatnonzero(prediction.chosen).tolist())

    def confidence(self, prediction: LabelScores) -> float:
        """The highest score."""
        return float(prediction.score.max(initial=0.0))

    def smoothed(self, prediction: LabelScores, average: Callable[[Float32], Float32]) -> LabelScores:
        """The average of the scores."""
        return LabelScores(average(prediction.score), prediction.threshold)

    def to_arrays(self, prediction: LabelScores) -> dict[str, Array]:
        """``labels`` (C,) and ``threshold`` (1,) float32."""
        return {"labels": prediction.score, "threshold": np.array([prediction.threshold], np.float32)}

    def from_arrays(self, pick: Picker) -> LabelScores:
        """From ``labels`` (C,) and ``threshold`` (1,) float32."""
        score, threshold = pick("labels", np.float32), pick("threshold", np.float32)
        if len(threshold) != 1:
            raise SchemaError("the array threshold is not one number")
        return LabelScores(score, float(threshold[0]))

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[LabelScores]:
        """Mean average precision, F1 by label and over all decisions, share of images without a wrong label."""
        from edgecnn.metrics.multilabel import MultiLabelAccumulator

        return _LabelSetAccumulator(MultiLabelAccumulator(labels))


class _LabelSetAccumulator:
    def __init__(self, inner: MultiLabelAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: LabelScores, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.labels is None:
            raise wrong_task(MultiLabel.data, MultiLabel.model, MultiLabel.model)
        scores = classes.scores(prediction)
        self._inner.add(scores, prediction.threshold, sample.labels, sample.unlabelled)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def chosen(prediction: LabelScores) -> list[int]:
    """The labels that apply, best first."""
    order = np.argsort(-prediction.score, kind="stable")
    found: list[int] = order[prediction.chosen[order]].tolist()
    return found
