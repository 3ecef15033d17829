"""Runs models on the changed images of a dataset: each image is changed once, then all models look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap
from edgecnn.shown_scores import ShownScores
from edgecnn.tasks.evaluate import Outcome, Scoring
from edgecnn.thresholds import EVALUATION_SCORE
from edgecnn.trust.invariance.catalogue import find_transformation
from edgecnn.trust.invariance.consistency import Consistency, compared
from edgecnn.trust.invariance.dataset import kept_in_memory, transformed
from edgecnn.trust.invariance.evidence import ImageEvidence, evidence_for
from edgecnn.trust.invariance.result import LevelResult, level_result
from edgecnn.trust.invariance.transformation import Transformation
from edgecnn.trust.judgement import judge
from edgecnn.types import Image, Prediction

Steps = Callable[[int, int], None]  # images done, images of this level


@dataclass(slots=True)
class MeasuredModel:
    """A model that is measured: what it predicts, and how its classes fit a dataset.

    ``fit`` gives the dataset with the classes that are measured, and the map of the model's classes to them. ``before`` keeps what it
    says of the images as they are.
    """

    predict: Callable[[Image], Prediction]
    fit: Callable[[Dataset], tuple[Dataset, ClassMap | None]]
    before: dict[int, Prediction] = field(default_factory=dict)


def robustness_at(
    predict: Callable[[Image], Prediction],
    dataset: Dataset,
    levels: Sequence[tuple[str, float]],
    *,
    classes: ClassMap | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LevelResult, ...]:
    """The accuracy on ``dataset`` as it is, then at each of ``levels``, such as [("rotate", 15), ("jpeg", 50)].

    ``predict`` is a ``Predictor``, opened with the thresholds of an evaluation (``whole_curve``); ``classes`` maps its classes to the
    dataset's, None: the ids are the same. ``progress(done, total)`` counts images. Raises ``InputError`` for unknown names, for levels
    out of range and for a task that does not fit.
    """
    chosen = [(find_transformation(name), level) for name, level in levels]
    model = MeasuredModel(predict, lambda changed: (changed, classes))
    kept, total = kept_in_memory(dataset), (len(chosen) + 1) * len(dataset)
    # a wrong name or level is told before the first image
    changed = [(own, level, transformed(kept, own, level, seed=seed)) for own, level in chosen]
    found: list[LevelResult] = []
    for own, level, images in [(None, 0.0, kept), *changed]:
        done = len(found) * len(dataset)
        steps = None if progress is None else lambda count, _, done=done: progress(done + count, total)
        found += measure_level([model], images, own, level, seed=seed, progress=steps)
    return tuple(found)


def measure_level(
    models: Sequence[MeasuredModel],
    dataset: Dataset,
    transformation: Transformation | None,
    level: float,
    *,
    seed: int = 0,
    strict: bool = False,
    progress: Steps | None = None,
) -> list[LevelResult]:
    """The accuracy of each model on ``dataset``, whose images are already changed by ``transformation`` at ``level``.

    The first call has no transformation: later ones compare their answers with those. Raises what ``score_outcomes`` raises.
    """
    runs = [_ModelRun(model, dataset, transformation, level, seed, strict) for model in models]
    for index in range(len(dataset)):
        for run in runs:
            run.add(index)
        if progress is not None:
            progress(index + 1, len(dataset))
    return [run.result() for run in runs]


class _ModelRun:
    """One model at one level."""

    def __init__(
        self, model: MeasuredModel, dataset: Dataset, transformation: Transformation | None, level: float, seed: int, strict: bool
    ) -> None:
        self._model, self._transformation, self._level, self._seed = model, transformation, level, seed
        self._dataset, self._classes = model.fit(dataset)
        self._scoring = Scoring(self._dataset, classes=self._classes, strict=strict)
        self._evidence: ImageEvidence | None = evidence_for(self._dataset.task)
        self._shown = ShownScores() if self._classes is None else self._classes.shown
        self._consistency = Consistency(self._shown)

    def add(self, index: int) -> None:
        sample = self._dataset.samples[index]
        outcome: Outcome
        try:
            image = sample.read()
        except InputError as error:
            self._scoring.add(sample, error)
            return
        outcome = self._model.predict(image)
        self._scoring.add(sample, outcome)
        if self._evidence is not None:
            mapping = self._scoring.classes
            self._evidence.add(judge(outcome, sample, mapping, threshold=EVALUATION_SCORE))
        self._compare(index, sample.name, outcome, (image.shape[0], image.shape[1]))

    def _compare(self, index: int, name: str, outcome: Prediction, size: tuple[int, int]) -> None:
        own = self._transformation
        if own is None:
            kept = compared(outcome, self._shown)
            if kept is not None:
                self._model.before[index] = kept
        elif own.group != "scene":
            matrix = None if own.placement is None else own.placement(size, self._level, own.random(name, self._seed))
            self._consistency.add(self._model.before.get(index), outcome, matrix, size)

    def result(self) -> LevelResult:
        return level_result(
            self._scoring.score(),
            self._transformation,
            self._level,
            consistency=self._consistency.share,
            consistency_interval=self._consistency.interval(self._seed),
            evidence=self._evidence,
        )
