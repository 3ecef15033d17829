"""A transformed dataset: again a dataset, whose truth moves with its images."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import overload

from edgecnn.data import Dataset, Sample
from edgecnn.data.moved_boxes import move_boxes
from edgecnn.errors import InputError
from edgecnn.tasks import find
from edgecnn.trust.invariance.geometry import move_image, move_key_points, move_mask
from edgecnn.trust.invariance.transformation import Transformation
from edgecnn.types import Array, Image

KEPT_BYTES = 256 * 1024 * 1024  # of images in memory, so that they are not decoded or rendered for each level
TRUTHS = ("label", "labels", "boxes", "mask", "points", "value")  # what stays known of a transformed image
STILL = ("value",)  # a number may be what a rotation or a scale changes: an angle, a length, a count


def check_task(dataset: Dataset, transformation: Transformation) -> None:
    """Raise ``InputError`` where the transformation makes no sense for the task of the dataset."""
    task = find(dataset.task)
    if dataset.signal is not None or task.truth not in TRUTHS:
        raise InputError(
            f"{dataset.name} is a dataset for {task.needed}, whose inputs can't be transformed as images",
            "name a dataset with classes, boxes, masks, key points or values of images",
        )
    if task.truth in STILL and (transformation.placement is not None or transformation.group == "scene"):
        raise InputError(
            f"{transformation.name} may change the value itself that {task.model} is to tell",
            "leave it out: --transform corruption has those that keep the value",
        )


def transformed(dataset: Dataset, transformation: Transformation, level: float, *, seed: int = 0) -> Dataset:
    """The dataset with each image changed at ``level``, lazily, and with it boxes, masks and key points.

    The random parts depend on ``seed`` and the image's name alone. Raises ``InputError`` for a task or a level that does not fit, and
    for a transformation of the renderer, which ``DatasetSelection`` opens by its address.
    """
    check_task(dataset, transformation)
    transformation.check(level)
    if transformation.group == "scene":
        parameter = f"{transformation.name}={level:g}"
        raise InputError(
            f"{transformation.name} is done by the renderer", f"name it in the address, such as scene:cups?{parameter}"
        )
    change = partial(_moved, transformation=transformation, level=level, seed=seed)
    if transformation.placement is None:
        change = partial(_changed, transformation=transformation, level=level, seed=seed)
    return dataclasses.replace(dataset, samples=_LastSample(dataset.samples, change))


def kept_in_memory(dataset: Dataset, budget: int = KEPT_BYTES) -> Dataset:
    """The dataset with images that are read once and then kept, the first ones up to ``budget`` bytes together."""
    return dataclasses.replace(dataset, samples=_KeptSamples(dataset.samples, budget))


def _changed(sample: Sample, transformation: Transformation, level: float, seed: int) -> Sample:
    change = transformation.change
    assert change is not None
    random = partial(transformation.random, sample.name, seed)
    return dataclasses.replace(sample, read=_Once(lambda: change(sample.read(), sample.boxes, level, random())))


def _moved(sample: Sample, transformation: Transformation, level: float, seed: int) -> Sample:
    place = transformation.placement
    assert place is not None
    read = _Once(sample.read)

    def matrix(size: tuple[int, int]) -> Array:
        return place(size, level, transformation.random(sample.name, seed))

    def image() -> Image:
        own = read()
        return move_image(own, matrix((own.shape[0], own.shape[1])))

    moved = dataclasses.replace(sample, read=_Once(image), concepts=None)
    if sample.mask is not None:
        moved = dataclasses.replace(moved, mask=partial(_moved_mask, sample.mask, matrix))
    if sample.boxes is None:
        return moved
    try:
        size = (read().shape[0], read().shape[1])
    except InputError:  # said where the image is read
        return moved
    boxes, kept = move_boxes(sample.boxes, matrix(size), size)
    points = None if sample.points is None else move_key_points(sample.points[kept], matrix(size), size)
    return dataclasses.replace(moved, boxes=boxes, points=points)


def _moved_mask(read: Callable[[], Image], matrix: Callable[[tuple[int, int]], Array]) -> Image:
    mask = read()
    return move_mask(mask, matrix((mask.shape[0], mask.shape[1])))


class _Once:
    """Reads an image at the first call and keeps it as long as its sample lives."""

    def __init__(self, read: Callable[[], Image]) -> None:
        self._read = read
        self._image: Image | None = None

    def __call__(self) -> Image:
        if self._image is None:
            self._image = self._read()
        return self._image


class _Samples(Sequence[Sample], ABC):
    """Samples made of those of another sequence, one by one."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.made(index % len(self)) if -len(self) <= index < len(self) else self._samples[index]

    @abstractmethod
    def made(self, index: int) -> Sample:
        """The sample at an index from 0 on."""


class _LastSample(_Samples):
    """Samples that ``change`` makes; the last one is kept: several models look at each before the next is made."""

    def __init__(self, samples: Sequence[Sample], change: Callable[[Sample], Sample]) -> None:
        super().__init__(samples)
        self._change = change
        self._last: tuple[int, Sample] | None = None

    def made(self, index: int) -> Sample:
        if self._last is None or self._last[0] != index:
            self._last = (index, self._change(self._samples[index]))
        return self._last[1]


class _KeptSamples(_Samples):
    """Samples whose images stay in memory, as many as fit into ``budget`` bytes."""

    def __init__(self, samples: Sequence[Sample], budget: int) -> None:
        super().__init__(samples)
        self._left = budget
        self._kept: dict[int, Sample] = {}

    def made(self, index: int) -> Sample:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        sample = self._samples[index]
        return dataclasses.replace(sample, read=partial(self._read, index, sample))

    def _read(self, index: int, sample: Sample) -> Image:
        image = sample.read()
        if index not in self._kept and image.nbytes <= self._left:
            self._left -= image.nbytes
            self._kept[index] = dataclasses.replace(sample, read=lambda: image)
        return image
