"""Run a predictor over a dataset and say how right it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from edgecnn.card import Task
from edgecnn.errors import InputError
from edgecnn.metrics.average_precision import BoxTally, load_pycocotools
from edgecnn.metrics.classification import ClassTally
from edgecnn.metrics.classmap import ClassMap, identity, shown
from edgecnn.metrics.ground_truth import TrueDataset, TrueSample
from edgecnn.metrics.regression import ValueTally
from edgecnn.metrics.score import Score
from edgecnn.types import Classes, Detections, Image, Prediction, Values

SHOWN_UNREADABLE = 3
Tally = ClassTally | BoxTally | ValueTally
TALLIES: Mapping[Task, Callable[[tuple[str, ...]], Tally]] = {"classify": ClassTally, "detect": BoxTally, "regress": ValueTally}


def evaluate(
    predict: Callable[[Image], Prediction],
    dataset: TrueDataset,
    *,
    classes: ClassMap | None = None,
    progress: Callable[[int, int], None] | None = None,
    strict: bool = False,
) -> Score:
    """The accuracy of ``predict`` on all samples of ``dataset``.

    ``classes`` says which class of the model is which of the dataset (``match_labels``); None means that the ids are the same.
    ``progress(done, total)`` is called after each image. An image that can't be read is left out and noted, or raised if ``strict``.
    Raises ``InputError`` where the task, the classes or the truth do not fit; ``MissingExtraError`` for mAP without pycocotools.
    """
    if not dataset.labels:
        raise InputError("a dataset with labels or boxes", "images only", "name a labelled dataset")
    if not dataset.samples:
        raise InputError("images to measure with", "none", "name a dataset that holds images")
    if dataset.task == "detect":
        load_pycocotools()
    mapping = classes or identity(len(dataset.labels))
    tally = TALLIES[dataset.task](dataset.labels)
    unreadable: list[str] = []
    for sample, image in _images(dataset, unreadable, progress, strict):
        _add(tally, predict(image), sample, mapping)
    if len(unreadable) == len(dataset.samples):
        raise InputError("images to measure with", f"none that can be read: {unreadable[0]}", "check the dataset")
    return tally.score(mapping.notes + _unlabelled_note(dataset) + _unreadable_note(unreadable))


def _images(
    dataset: TrueDataset, unreadable: list[str], progress: Callable[[int, int], None] | None, strict: bool
) -> Iterator[tuple[TrueSample, Image]]:
    total = len(dataset.samples)
    for done, sample in enumerate(dataset.samples, 1):
        try:
            image = sample.read()
        except InputError as error:
            if strict:
                raise
            unreadable.append(f"{sample.name} ({error.found})")
        else:
            yield sample, image
        if progress is not None:
            progress(done, total)


def _add(tally: Tally, prediction: Prediction, sample: TrueSample, mapping: ClassMap) -> None:
    if isinstance(tally, ClassTally):
        if not isinstance(prediction, Classes) or sample.label is None:
            raise _unfit("a classifier for a dataset of classes", prediction)
        tally.add(mapping.scores(prediction), sample.label)
    elif isinstance(tally, ValueTally):
        if not isinstance(prediction, Values) or len(prediction.value) != 1 or sample.value is None:
            raise _unfit("a model of one value for a dataset of values", prediction)
        tally.add(float(prediction.value[0]), sample.value)
    else:
        if not isinstance(prediction, Detections) or sample.boxes is None:
            raise _unfit("a detector for a dataset of boxes", prediction)
        tally.add(_labelled(mapping.detections(prediction), sample.unlabelled), sample.boxes)


def _labelled(found: Detections, unlabelled: frozenset[int]) -> Detections:
    """The detections of classes that are labelled in the image: of the others nobody knows whether they are right."""
    return found[~np.isin(found.class_id, list(unlabelled))] if unlabelled else found


def _unfit(wanted: str, prediction: Prediction) -> InputError:
    found = {Detections: "a detector", Classes: "a classifier", Values: "a model of values"}[type(prediction)]
    return InputError(wanted, found, "name a dataset for the task of the model")


def _unlabelled_note(dataset: TrueDataset) -> tuple[str, ...]:
    names = [dataset.labels[index] for index in sorted(dataset.unlabelled)]
    return (f"not labelled in this dataset and not counted: {shown(names)}",) if names else ()


def _unreadable_note(unreadable: list[str]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    more = ", ..." if len(unreadable) > SHOWN_UNREADABLE else ""
    return (f"images that could not be read are left out ({len(unreadable)}): {', '.join(unreadable[:SHOWN_UNREADABLE])}{more}",)
