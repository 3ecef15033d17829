"""Turns a dataset into one of a model's task, where the task has no datasets of its own."""

from __future__ import annotations

import dataclasses
from functools import partial

from edgecnn.card import ModelCard
from edgecnn.data.sample import Dataset, Sample
from edgecnn.degrade import Degradation, cover, degrade, fixed_random
from edgecnn.tasks import find
from edgecnn.types import Image


def for_task(dataset: Dataset, card: ModelCard) -> Dataset:
    """The dataset for the model of ``card``; unchanged where that needs a dataset of its own kind.

    A dataset with the same ground truth fits: images with classes are also those of embeddings, whose classes should be similar. Images
    of any kind are those of restoration: the centre of each, of the size of the model's output, is the original of a smaller or noisy
    input.
    """
    truth = find(card.task).truth
    if truth == "read":
        how = Degradation.of(card.decode.options)
        size = (card.preprocess.size[0] * how.upscale, card.preprocess.size[1] * how.upscale)
        return dataclasses.replace(dataset.map(partial(_degraded, size=size, how=how)), task=card.task)
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
