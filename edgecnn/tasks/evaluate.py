"""Evaluates the accuracy of a predictor on a dataset."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap, identity, shown
from edgecnn.metrics.ground_truth import GroundTruthDataset, GroundTruthSample
from edgecnn.metrics.score import Score
from edgecnn.tasks import find, for_prediction
from edgecnn.tasks.interface import Task
from edgecnn.tasks.wrong import wrong_task
from edgecnn.types import Image, Prediction

SHOWN_UNREADABLE = 3
Outcome: TypeAlias = Prediction | InputError  # of one image: what the model says, or why it can't be read


def evaluate(
    predict: Callable[[Image], Prediction],
    dataset: GroundTruthDataset,
    *,
    classes: ClassMap | None = None,
    progress: Callable[[int, int], None] | None = None,
    strict: bool = False,
) -> Score:
    """The accuracy of ``predict`` on all samples of ``dataset``.

    ``classes`` maps the model's classes to the dataset's (``match_labels``); None means that the ids are the same.
    ``progress(done, total)`` is called after each image. An unreadable image is skipped and noted; with ``strict`` its error is raised.
    Raises ``InputError`` where the task, the classes or the ground truth do not match; ``MissingExtraError`` where the
    measure needs a package that is not installed.
    """
    return score_outcomes(outcomes(predict, dataset.samples), dataset, classes=classes, progress=progress, strict=strict)


def score_outcomes(
    found: Iterable[tuple[GroundTruthSample, Outcome]],
    dataset: GroundTruthDataset,
    *,
    classes: ClassMap | None = None,
    progress: Callable[[int, int], None] | None = None,
    strict: bool = False,
) -> Score:
    """The accuracy of what a model says of all samples of ``dataset``, in their order; the rest is as of ``evaluate``."""
    scoring = Scoring(dataset, classes=classes, strict=strict)
    for done, (sample, outcome) in enumerate(found, 1):
        scoring.add(sample, outcome)
        if progress is not None:
            progress(done, len(dataset.samples))
    return scoring.score()


class Scoring:
    """Adds up what a model says, image by image: for callers that run several models in turn on each image.

    The arguments and the errors are those of ``score_outcomes``.
    """

    def __init__(self, dataset: GroundTruthDataset, *, classes: ClassMap | None = None, strict: bool = False) -> None:
        if not dataset.labels and find(dataset.task).truth != "read":
            raise InputError("the dataset has images, but no labels or boxes", "name a labelled dataset")
        if not dataset.samples:
            raise InputError("the dataset holds no images", "name another dataset")
        self._dataset, self._strict = dataset, strict
        self.classes = classes or identity(len(dataset.labels))
        self._task = find(dataset.task)
        self._accumulator = self._task.accumulator(dataset.labels)
        self._unreadable: list[str] = []
        self._images = hashlib.sha256()

    def add(self, sample: GroundTruthSample, outcome: Outcome) -> None:
        """Count what the model says of the next sample of the dataset."""
        if not isinstance(outcome, InputError):
            self._accumulator.add(_checked(outcome, self._task), sample, self.classes)
            self._images.update(f"{sample.name}\n".encode(errors="surrogateescape"))
        elif self._strict:
            raise outcome
        else:
            self._unreadable.append(f"{sample.name} ({outcome.problem})")

    def score(self) -> Score:
        """The score of all samples added."""
        if len(self._unreadable) == len(self._dataset.samples):
            raise InputError(f"no image of the dataset can be read: {self._unreadable[0]}", "check the dataset")
        notes = _unlabelled_note(self._dataset) + _unreadable_note(self._unreadable)
        score = self._accumulator.score(self.classes.notes + notes)
        return dataclasses.replace(score, images_digest=self._images.hexdigest()[:16])


def outcomes(
    predict: Callable[[Image], Prediction], samples: Iterable[GroundTruthSample]
) -> Iterator[tuple[GroundTruthSample, Outcome]]:
    """Each sample with what ``predict`` says of its image, or why it can't be read."""
    for sample in samples:
        try:
            image = sample.read()
        except InputError as error:
            yield sample, error
        else:
            yield sample, predict(image)


def _checked(prediction: Prediction, task: Task[Any]) -> Prediction:
    """The prediction, if it is of the ``task`` of the dataset."""
    if not isinstance(prediction, task.prediction):
        raise wrong_task(task.data, task.needed, for_prediction(prediction).model_of(prediction))
    return prediction


def _unlabelled_note(dataset: GroundTruthDataset) -> tuple[str, ...]:
    names = [dataset.labels[index] for index in sorted(dataset.unlabelled)]
    return (f"not labelled in this dataset and not counted: {shown(names)}",) if names else ()


def _unreadable_note(unreadable: list[str]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    more = ", ..." if len(unreadable) > SHOWN_UNREADABLE else ""
    return (f"images that could not be read are left out ({len(unreadable)}): {', '.join(unreadable[:SHOWN_UNREADABLE])}{more}",)
