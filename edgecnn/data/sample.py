"""Sample and dataset: the types that every loader returns and that training and evaluation use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from edgecnn.card import SignalInput
from edgecnn.task_names import TaskName
from edgecnn.types import Boxes, Float32, Image

if TYPE_CHECKING:
    from edgecnn.scene.pixel_concepts import PixelConcepts


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image, read lazily, with a label (classification), any number of ``labels`` (multi-label), boxes (detection), a value
    (regression), a mask or key points.

    ``read()`` gives (H, W, 3) uint8 BGR. Samples of one ``group`` (a clip, a patient) are never split.
    ``image_id`` is the dataset's own id where it has one. ``unlabelled`` are classes of the dataset that are not labelled in this
    image: it may show them, so neither training nor evaluation uses it for them. ``mask()`` gives the class of each pixel,
    (H, W) uint8, NO_CLASS where it does not count. ``points`` (n, K, 3) float32 are x, y and visibility (0 not labelled, 1 hidden,
    2 visible, as in COCO) of the key points of the objects in ``boxes``.
    ``original()`` is the image that was degraded to the one of ``read`` (restoration).
    ``concepts()`` says what each pixel shows, where what renders the image knows it.
    """

    name: str
    read: Callable[[], Image]
    label: int | None = None
    boxes: Boxes | None = None
    group: str = ""
    image_id: int = 0
    unlabelled: frozenset[int] = frozenset()
    value: float | None = None
    mask: Callable[[], Image] | None = None
    points: Float32 | None = None
    original: Callable[[], Image] | None = None
    labels: frozenset[int] | None = None
    concepts: Callable[[], PixelConcepts] | None = None

    @property
    def classes(self) -> frozenset[int]:
        """The classes that the image is labelled with."""
        boxes = () if self.boxes is None else self.boxes.class_id.tolist()
        own = () if self.label is None else (self.label,)
        return frozenset((*own, *boxes, *(self.labels or ())))

    def with_read(self, read: Callable[[], Image]) -> Sample:
        """The same sample with another image."""
        # not dataclasses.replace, which takes as long as a tiny network needs for some percent of an image
        own = (self.label, self.boxes, self.group, self.image_id, self.unlabelled, self.value, self.mask, self.points)
        return Sample(self.name, read, *own, self.original, self.labels)


class LazySamples(Sequence[Sample]):
    """A sequence of ``size`` samples, each created by ``make(index)`` on access; slices are lazy, too."""

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
        # a slice of a range is a range: nested slices store three integers, not lists of indices
        part = LazySamples(0, self._make)
        part._indices = self._indices[index]
        return part


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a dataset: ``where`` is the file and line, ``what`` describes it."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples of one task with the names of their classes, and the problems that were found while listing them.

    ``notes`` are sentences on what was read and what was left out that are no problem of the files.
    ``split`` is the requested split, "" for all images. ``samples`` may be lazy: index it instead of copying it.
    ``unlabelled`` are the classes that are not labelled in any of the images. ``kind`` and ``evidence`` say which format the files
    were taken for and why; ``left_out`` counts files in its folders that were not read, by what they are (".txt").
    ``signal`` describes windows of signals, whose images have a row for each channel. ``sources`` says what a dataset that `edgecnn data
    convert` wrote was made of, in plain values.
    """

    name: str
    task: TaskName
    labels: tuple[str, ...]
    samples: Sequence[Sample]
    problems: tuple[Problem, ...] = field(default_factory=tuple)
    split: str = ""
    unlabelled: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    kind: str = ""
    evidence: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    signal: SignalInput | None = None
    sources: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, every: int = 1, limit: int | None = None) -> Dataset:
        """A subset: each ``every``-th sample, at most ``limit`` of them; the problems are kept."""
        indices = range(len(self))[::every][:limit]
        return self if len(indices) == len(self) else self.pick(indices)

    def pick(self, indices: Sequence[int]) -> Dataset:
        """A subset: the samples at ``indices``, created lazily; the problems are kept."""
        return dataclasses.replace(self, samples=LazySamples(len(indices), lambda index: self.samples[indices[index]]))

    def map(self, change: Callable[[Sample], Sample]) -> Dataset:
        """The same dataset with ``change`` applied lazily to each sample."""
        return dataclasses.replace(self, samples=LazySamples(len(self), lambda index: change(self.samples[index])))
