"""Caches images and masks in memory that are read more than once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edgecnn.data.sample import Dataset, LazySamples, Sample
from edgecnn.types import Image


def cache_samples(dataset: Dataset) -> Dataset:
    """The dataset with a cache: each sample is created, and each image and mask read, only once."""
    kept: dict[int, Sample] = {}

    def make(index: int) -> Sample:
        if index not in kept:
            sample = dataset.samples[index]
            mask = None if sample.mask is None else _CachedImage(sample.mask)
            kept[index] = dataclasses.replace(sample, read=_CachedImage(sample.read), mask=mask)
        return kept[index]

    return dataclasses.replace(dataset, samples=LazySamples(len(dataset), make))


class _CachedImage:
    """Reads an image once and returns it from memory afterwards."""

    def __init__(self, read: Callable[[], Image]) -> None:
        self._read = read
        self._image: Image | None = None

    def __call__(self) -> Image:
        if self._image is None:
            self._image = self._read()
        return self._image
