"""Turns a dataset into one of a model's task, where its ground truth says enough."""

from __future__ import annotations

import dataclasses
from functools import partial

from edgecnn.card import ModelCard
from edgecnn.data.sample import Dataset, Sample
from edgecnn.degrade import Degradation, cover, degrade, fixed_random
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.types import Image


def for_task(dataset: Dataset, card: ModelCard) -> Dataset:
    """The dataset for the model of ``card``; unchanged where that needs a dataset of its own kind.

    A dataset with the same ground truth fits: images with classes are also those of embeddings, whose classes should be similar. Images
    of any kind are those of restoration: the centre of each, of the size of the model's output, is the original of a smaller or noisy
    input. Where a model gives labels, those of an image are the classes of its boxes.
    """
    truth = find(card.task).truth
    if truth == "read":
        how = Degradation.of(card.decode.options)
        size = (card.preprocess.size[0] * how.upscale, card.preprocess.size[1] * how.upscale)
        return dataclasses.replace(dataset.map(partial(_degraded, size=size, how=how)), task=card.task)
    dataset = labels_of_boxes(dataset, card.task)
    same = bool(truth) and truth == find(dataset.task).truth
    return dataclasses.replace(dataset, task=card.task) if same else dataset


def _degraded(sample: Sample, size: tuple[int, int], how: Degradation) -> Sample:
    original = _Original(sample, size)
    return dataclasses.replace(sample, read=partial(_read, original, how), original=original)


def _read(original: _Original, how: Degradation) -> Image:
    image = original()
    return degrade(image, how, fixed_random(image))


class _Original:
    """Reads the original of a sample once: it is needed for the input, and again to compare."""

    def __init__(self, sample: Sample, size: tuple[int, int]) -> None:
        self._sample, self._size = sample, size
        self._image: Image | None = None

    def __call__(self) -> Image:
        if self._image is None:
            self._image = cover(self._sample.read(), self._size)
        return self._image


def labels_of_boxes(dataset: Dataset, task: TaskName) -> Dataset:
    """A dataset of boxes as one of labels for a multi-label ``task``: those of an image are the classes of its boxes.

    A class with crowd boxes only counts as not labelled there. Other datasets are unchanged.
    """
    if find(task).truth != "labels" or not find(dataset.task).has_boxes:
        return dataset
    return dataclasses.replace(dataset.map(_with_labels), task=task)


def _with_labels(sample: Sample) -> Sample:
    boxes = sample.boxes
    if boxes is None:
        return sample
    sure = boxes if boxes.crowd is None else boxes.pick(~boxes.crowd)
    labels = frozenset(sure.class_id.tolist())
    unsure = frozenset(boxes.class_id.tolist()) - labels
    return dataclasses.replace(sample, boxes=None, labels=labels, unlabelled=sample.unlabelled | unsure)
