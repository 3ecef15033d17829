"""A sample (image and ground truth) and a dataset of samples, which every loader returns and training and evaluation take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import overload

from edgecnn.card import Task
from edgecnn.types import Boxes, Image


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image, read only when asked for, with a label (classification), boxes (detection) or a value (regression).

    ``read()`` gives (H, W, 3) uint8 BGR. ``group`` is what must not be split between training and test (a clip, a patient).
    ``image_id`` is the dataset's own id where it has one. ``unlabelled`` are classes of the dataset that are not labelled in this
    image: it may show them, so neither training nor evaluation uses it for them.
    """

    name: str
    read: Callable[[], Image]
    label: int | None = None
    boxes: Boxes | None = None
    group: str = ""
    image_id: int = 0
    unlabelled: frozenset[int] = frozenset()
    value: float | None = None


class LazySamples(Sequence[Sample]):
    """``size`` samples that are made by ``make(index)`` when they are asked for; slices stay lazy."""

    def __init__(self, size: int, make: Callable[[int], Sample]) -> None:
        self._indices, self._make = range(size), make

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> LazySamples: ...
    def __getitem__(self, index: int | slice) -> Sample | LazySamples:
        if isinstance(index, int):
            return self._make(self._indices[index])
        part = LazySamples(0, self._make)
        part._indices = self._indices[index]
        return part


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a dataset, by file and line."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples of one task with the names of their classes, and the problems that were found while listing them.

    ``split`` is the part that was asked for, "" for everything there is. ``samples`` may be lazy: index it, do not copy it.
    ``unlabelled`` are the classes that are not labelled in any of the images.
    """

    name: str
    task: Task
    labels: tuple[str, ...]
    samples: Sequence[Sample]
    problems: tuple[Problem, ...] = field(default_factory=tuple)
    split: str = ""
    unlabelled: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, every: int = 1, limit: int | None = None) -> Dataset:
        """Each ``every``-th sample, at most ``limit`` of them; the problems stay."""
        indices = range(len(self))[::every][:limit]
        return self if len(indices) == len(self) else self.pick(indices)

    def pick(self, indices: Sequence[int]) -> Dataset:
        """The samples at ``indices``, lazily; the problems stay."""
        return dataclasses.replace(self, samples=LazySamples(len(indices), lambda index: self.samples[indices[index]]))

    def map(self, change: Callable[[Sample], Sample]) -> Dataset:
        """The same dataset with ``change`` applied lazily to each sample."""
        return dataclasses.replace(self, samples=LazySamples(len(self), lambda index: change(self.samples[index])))
