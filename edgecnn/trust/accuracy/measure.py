"""Measures a model file as ``evaluate_file`` does, and keeps on the way what the details are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edgecnn.benchmarks.measure.evaluation import (
    Evaluation,
    EvaluationConfig,
    Local,
    OpenedModel,
    Outcomes,
    evaluate_opened,
    opened_model,
)
from edgecnn.benchmarks.measure.kept_outcomes import KeptOutcomes
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.metrics.score import Score
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import Outcome
from edgecnn.trust.accuracy.boxes import BoxCollector
from edgecnn.trust.accuracy.estimate import AccuracyDetail
from edgecnn.trust.accuracy.labels import LabelCollector
from edgecnn.trust.accuracy.values import value_detail
from edgecnn.trust.judgement import judge

LABEL_METRIC = "top1"  # of tasks whose predictions are one class for each image
Collector: TypeAlias = LabelCollector | BoxCollector


@dataclass(frozen=True, slots=True)
class DetailedEvaluation:
    """The accuracy of a model file with its details (None for tasks that have none), and the dataset it was measured on."""

    evaluation: Evaluation
    detail: AccuracyDetail | None
    dataset: Dataset
    seed: int

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn evaluate --json`; benchmarks/README.md documents its fields."""
        own = None if self.detail is None else {"seed": self.seed, **self.detail.to_dict()}
        return {**self.evaluation.to_document(), "detail": own}


class _Watched:
    """Outcomes that a collector sees, too."""

    def __init__(self, model: OpenedModel, found: Outcomes, collector: Collector | None) -> None:
        self._model, self._found, self._collector = model, found, collector

    @property
    def not_finite(self) -> int:
        return self._found.not_finite

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        collector, classes = self._collector, self._model.classes
        for index, (sample, outcome) in enumerate(self._found):
            yield sample, outcome  # first: what does not fit the task is refused there
            if collector is not None and not isinstance(outcome, InputError):
                collector.add(judge(outcome, sample, classes, threshold=0.0), index)


def evaluate_in_detail(
    config: EvaluationConfig,
    *,
    predicted: Callable[[Dataset], Outcomes] | None = None,
    parts: Path | None = None,
    seed: int = 0,
    report: Progress = no_progress,
    progress: Callable[[int, int], None] | None = None,
) -> DetailedEvaluation:
    """Measure the accuracy of a model file on a dataset in detail.

    The arguments are those of ``evaluate_file``; ``seed`` draws the resamples of the intervals; ``parts`` is a
    folder that keeps what is done, for the same measurement to go on from there. Raises what ``evaluate_file`` raises.
    """
    with opened_model(config, report) as model:
        if parts is not None and predicted is None:
            kept = KeptOutcomes(config, model, parts)
            done = measure_in_detail(config, model, kept, seed=seed, progress=progress)
            kept.done()
            return done
        if predicted is None:
            return measure_in_detail(config, model, Local(model.predictor, model.dataset), seed=seed, progress=progress)
        model.overlap.compare()  # others read the images
        return measure_in_detail(config, model, predicted(model.dataset), seed=seed, progress=progress, is_read_here=False)


def measure_in_detail(
    config: EvaluationConfig,
    model: OpenedModel,
    found: Outcomes,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    is_read_here: bool = True,
) -> DetailedEvaluation:
    """The same of ``found``, what the file of ``config``, opened as ``model``, says of the samples of its dataset."""
    collector = _collector(model)
    evaluation = evaluate_opened(config, model, _Watched(model, found, collector), progress=progress, is_read_here=is_read_here)
    score = evaluation.score
    detail: AccuracyDetail | None = None
    if isinstance(collector, LabelCollector):
        detail = collector.detail(score, model.dataset, seed)
    elif collector is not None:
        detail = collector.detail(score, seed)
    elif score.pairs is not None:
        detail = value_detail(score, seed)
    if detail is not None:
        changed = dataclasses.replace(score, values=_with_figures(score, detail), notes=(*score.notes, *detail.notes))
        evaluation = dataclasses.replace(evaluation, score=changed)
    return DetailedEvaluation(evaluation, detail, model.dataset, seed)


def _with_figures(score: Score, detail: AccuracyDetail) -> dict[str, float]:
    """The values of the score with the figures of the details, and their intervals."""
    values = dict(score.values)
    for name, one in detail.figures.items():
        values.setdefault(name, one.value)
        if one.interval is not None:  # by the seed that was asked for
            values |= {f"{name}_low": one.interval.low, f"{name}_high": one.interval.high}
    return values


def _collector(model: OpenedModel) -> Collector | None:
    task = find(model.dataset.task)
    if task.has_boxes:
        return BoxCollector(model.classes.shown_of_dataset)
    return LabelCollector() if task.metric == LABEL_METRIC else None
