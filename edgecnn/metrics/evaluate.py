"""Evaluates the accuracy of a predictor on a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from edgecnn.card import Task
from edgecnn.errors import InputError
from edgecnn.metrics.average_precision import DetectionAccumulator, load_pycocotools
from edgecnn.metrics.classification import ClassificationAccumulator
from edgecnn.metrics.classmap import ClassMap, identity, shown
from edgecnn.metrics.ground_truth import GroundTruthDataset, GroundTruthSample
from edgecnn.metrics.regression import RegressionAccumulator
from edgecnn.metrics.score import Score
from edgecnn.types import Classes, Detections, Image, Prediction, Values

SHOWN_UNREADABLE = 3
Accumulator = ClassificationAccumulator | DetectionAccumulator | RegressionAccumulator
ACCUMULATORS: Mapping[Task, Callable[[tuple[str, ...]], Accumulator]] = {
    "classify": ClassificationAccumulator,
    "detect": DetectionAccumulator,
    "regress": RegressionAccumulator,
}


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
    Raises ``InputError`` where the task, the classes or the ground truth do not match; ``MissingExtraError`` for mAP without pycocotools.
    """
    if not dataset.labels:
        raise InputError("the dataset has images, but no labels or boxes", "name a labelled dataset")
    if not dataset.samples:
        raise InputError("the dataset holds no images", "name another dataset")
    if dataset.task == "detect":
        # before the first prediction: a missing package should not be reported after an hour
        load_pycocotools()
    mapping = classes or identity(len(dataset.labels))
    accumulator = ACCUMULATORS[dataset.task](dataset.labels)
    unreadable: list[str] = []
    for sample, image in _images(dataset, unreadable, progress, strict):
        _add(accumulator, predict(image), sample, mapping)
    if len(unreadable) == len(dataset.samples):
        raise InputError(f"no image of the dataset can be read: {unreadable[0]}", "check the dataset")
    return accumulator.score(mapping.notes + _unlabelled_note(dataset) + _unreadable_note(unreadable))


def _images(
    dataset: GroundTruthDataset, unreadable: list[str], progress: Callable[[int, int], None] | None, strict: bool
) -> Iterator[tuple[GroundTruthSample, Image]]:
    total = len(dataset.samples)
    for done, sample in enumerate(dataset.samples, 1):
        try:
            image = sample.read()
        except InputError as error:
            if strict:
                raise
            unreadable.append(f"{sample.name} ({error.problem})")
        else:
            yield sample, image
        if progress is not None:
            progress(done, total)


def _add(accumulator: Accumulator, prediction: Prediction, sample: GroundTruthSample, mapping: ClassMap) -> None:
    if isinstance(accumulator, ClassificationAccumulator):
        if not isinstance(prediction, Classes) or sample.label is None:
            raise _wrong_task("classes", "a classifier", prediction)
        accumulator.add(mapping.scores(prediction), sample.label)
    elif isinstance(accumulator, RegressionAccumulator):
        if not isinstance(prediction, Values) or len(prediction.value) != 1 or sample.value is None:
            raise _wrong_task("values", "a regression model with one value", prediction)
        accumulator.add(float(prediction.value[0]), sample.value)
    else:
        if not isinstance(prediction, Detections) or sample.boxes is None:
            raise _wrong_task("boxes", "a detector", prediction)
        # after mapping: ``unlabelled`` holds ids of the dataset
        accumulator.add(_labelled(mapping.detections(prediction), sample.unlabelled), sample.boxes)


def _labelled(predicted: Detections, unlabelled: frozenset[int]) -> Detections:
    """The detections of classes that are labelled in this image; the others can be neither true nor false positives."""
    return predicted[~np.isin(predicted.class_id, list(unlabelled))] if unlabelled else predicted


def _wrong_task(truth: str, needed: str, prediction: Prediction) -> InputError:
    values = f"a regression model with {len(prediction.value)} values" if isinstance(prediction, Values) else ""
    kind = values or {Detections: "a detector", Classes: "a classifier"}[type(prediction)]
    return InputError(f"a dataset of {truth} needs {needed}, but the model is {kind}", "name a dataset for the task of the model")


def _unlabelled_note(dataset: GroundTruthDataset) -> tuple[str, ...]:
    names = [dataset.labels[index] for index in sorted(dataset.unlabelled)]
    return (f"not labelled in this dataset and not counted: {shown(names)}",) if names else ()


def _unreadable_note(unreadable: list[str]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    more = ", ..." if len(unreadable) > SHOWN_UNREADABLE else ""
    return (f"images that could not be read are left out ({len(unreadable)}): {', '.join(unreadable[:SHOWN_UNREADABLE])}{more}",)
