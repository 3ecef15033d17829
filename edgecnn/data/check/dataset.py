"""Checks a dataset: reads every image once and collects what a person should know before training on it.

The images are read one after another and only fingerprints and counts are kept, so that the size of a dataset does not matter.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgecnn.counts import counted
from edgecnn.data.address import parse_address
from edgecnn.data.check.boxes import odd_boxes
from edgecnn.data.check.duplicates import Fingerprints
from edgecnn.data.dataset_kinds import dataset_splits, open_dataset
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import part_of
from edgecnn.errors import InputError
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.tasks.interface import Task
from edgecnn.types import Image

SCENE_FRAMES = 200
MOST_ODD = 1000
SMALL_AREA, LARGE_AREA = 32.0**2, 96.0**2  # as in COCO


@dataclass(frozen=True, slots=True)
class Place:
    """An image of a dataset: the number of its part and its own number in it."""

    part: int
    index: int


@dataclass(frozen=True, slots=True)
class OddBox:
    """A box to look at: the image, the box's number in it, and the kind of oddity."""

    place: Place
    name: str
    box: int
    kind: str


@dataclass(slots=True)
class PartCheck:
    """The counts of one split (``name``; "" where there are none), by class id where they are by class."""

    name: str
    dataset: Dataset
    images: int = 0
    unreadable: list[Problem] = field(default_factory=list)
    boxes: int = 0
    crowd: int = 0
    background: int = 0
    class_boxes: Counter[int] = field(default_factory=Counter)
    class_images: Counter[int] = field(default_factory=Counter)
    image_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    box_sizes: Counter[str] = field(default_factory=Counter)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """What was found. ``copies`` are images with equal pixels, ``near_copies`` pairs that look the same.

    ``shared_groups``: groups (clips) that have images in several parts, with these parts. ``conflicts``: the lists of ``copies`` whose
    labels differ.
    """

    name: str
    task: TaskName
    labels: tuple[str, ...]
    parts: tuple[PartCheck, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    odd: tuple[OddBox, ...]
    odd_counts: Counter[str]
    copies: tuple[tuple[Place, ...], ...]
    near_copies: tuple[tuple[Place, Place], ...]
    conflicts: tuple[tuple[Place, ...], ...]
    shared_groups: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def about(self) -> Task[Any]:
        """What the task is."""
        return find(self.task)

    @property
    def images(self) -> int:
        """Number of images, those that can't be read included."""
        return sum(part.images for part in self.parts)

    @property
    def leaks(self) -> list[tuple[Place, ...]]:
        """The copies that are in several parts."""
        return [places for places in self.copies if len({place.part for place in places}) > 1]

    @property
    def near_across(self) -> list[tuple[Place, Place]]:
        """The pairs of near copies that are in different parts."""
        return [pair for pair in self.near_copies if pair[0].part != pair[1].part]

    @property
    def empty_classes(self) -> list[str]:
        """Classes without any image or box, in no part."""
        unlabelled = frozenset.intersection(*(part.dataset.unlabelled for part in self.parts))
        there = {class_id for part in self.parts for class_id in part.class_images}
        if not self.about.has_classes:
            return []
        return [name for index, name in enumerate(self.labels) if index not in there | unlabelled]

    def faults(self) -> list[str]:
        """Sentences on what is wrong for certain: with ``--strict`` the check fails where there is one."""
        found = []
        if self.problems:
            found.append(f"{counted(len(self.problems), 'problem')} in the files")
        if self.leaks:
            found.append(f"{counted(len(self.leaks), 'image')} in more than one split")
        if self.conflicts:
            found.append(f"{counted(len(self.conflicts), 'image')} with copies that are labelled differently")
        return found

    def doubts(self) -> list[str]:
        """Sentences on what may make scores too high, for a person to judge: ``--strict`` does not fail for it."""
        found = []
        if self.shared_groups:
            found.append(f"{counted(len(self.shared_groups), 'group')} of images (clips) in more than one split")
        if self.near_across:
            found.append(f"{counted(len(self.near_across), 'pair')} of nearly equal images in different splits")
        return found

    def sample(self, place: Place) -> Sample:
        """The sample at a place."""
        return self.parts[place.part].dataset.samples[place.index]

    def shown(self, place: Place) -> str:
        """The name of an image, with its split."""
        part = self.parts[place.part].name
        return f"{self.sample(place).name}{f' ({part})' if part else ''}"


def check_dataset(
    uri: str,
    *,
    labels: str | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DatasetCheck:
    """Check all splits of the dataset at ``uri``, or the part that its address selects; at most ``limit`` images of each.

    ``progress(done, total)`` is called after each image. Images that can't be read are listed. Raises what ``open_dataset`` raises.
    """
    parts = [PartCheck(name, dataset) for name, dataset in _open(uri, labels, limit)]
    total, done = sum(len(part.dataset) for part in parts), 0
    prints, places, groups = Fingerprints(), list[Place](), list[str]()
    odd, odd_counts = list[OddBox](), Counter[str]()
    for number, part in enumerate(parts):
        for index, sample in enumerate(part.dataset.samples):
            image = _read(part, sample)
            if image is not None:
                place = Place(number, index)
                prints.add(image)
                places.append(place)
                groups.append(sample.group)
                _count(part, sample, image)
                for box, kind in _odd(sample, image):
                    odd_counts[kind] += 1
                    if len(odd) < MOST_ODD:
                        odd.append(OddBox(place, sample.name, box, kind))
            done += 1
            progress(done, total)
    copies = tuple(tuple(places[index] for index in indices) for indices in prints.copies())
    near = tuple((places[one], places[other]) for one, other in prints.near_copies(groups))
    first = parts[0].dataset
    problems = [problem for part in parts for problem in (*part.dataset.problems, *part.unreadable)]
    found = DatasetCheck(
        name=first.name,
        task=first.task,
        labels=first.labels,
        parts=tuple(parts),
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.dataset.notes)),
        odd=tuple(odd),
        odd_counts=odd_counts,
        copies=copies,
        near_copies=near,
        conflicts=(),
        shared_groups=_shared_groups(parts, places, groups),
    )
    conflicts = [same for same in copies if len({_label(found.sample(place)) for place in same}) > 1]
    return dataclasses.replace(found, conflicts=tuple(conflicts))


def _open(uri: str, labels: str | None, limit: int | None) -> list[tuple[str, Dataset]]:
    """The parts of a dataset by name: its own splits, or those of its random split."""
    address = parse_address(uri)
    if address.is_scene:
        return [("", open_dataset(uri, limit=limit or (None if "count=" in uri else SCENE_FRAMES)))]
    names = list(dataset_splits(uri))
    if address.val_fraction is not None and address.split is None:
        names = ["train", "val"]
    # limited last: the first images of a union are those of one of its parts
    whole = _without_unions([(name, open_dataset(uri, split=name, labels=labels)) for name in names])
    parts = [(name, part.take(limit=limit)) for name, part in whole] or [
        (address.split or "", open_dataset(uri, labels=labels, limit=limit))
    ]
    for name, part in parts:
        if part.labels != parts[0][1].labels:
            raise InputError(
                f"the splits {parts[0][0]} and {name} of {part.name} have different classes", "name them with labels=a,b,c"
            )
    return parts


def _without_unions(parts: list[tuple[str, Dataset]]) -> list[tuple[str, Dataset]]:
    """The parts without one that only repeats all images of others, such as trainval of Pascal VOC."""
    names = {name: {sample.name for sample in dataset.samples} for name, dataset in parts}
    others = {name: [names[other] for other in names if other != name and names[other] < names[name]] for name in names}
    return [
        (name, dataset)
        for name, dataset in parts
        if part_of(name) or not others[name] or set().union(*others[name]) != names[name]
    ]


def _read(part: PartCheck, sample: Sample) -> Image | None:
    part.images += 1
    try:
        return sample.read()
    except InputError as error:
        part.unreadable.append(Problem(sample.name, getattr(error, "reason", error.problem)))
        return None


def _count(part: PartCheck, sample: Sample, image: Image) -> None:
    part.image_sizes[(image.shape[1], image.shape[0])] += 1
    if sample.boxes is None:
        part.class_images.update(sample.classes)
    if sample.value is not None:
        part.values.append(sample.value)
    if sample.boxes is None:
        return
    crowd = 0 if sample.boxes.crowd is None else int(sample.boxes.crowd.sum())
    part.boxes += len(sample.boxes) - crowd
    part.crowd += crowd
    part.background += not len(sample.boxes)
    counted = sample.boxes if not crowd or sample.boxes.crowd is None else sample.boxes.pick(~sample.boxes.crowd)
    part.class_boxes.update(counted.class_id.tolist())
    part.class_images.update(set(counted.class_id.tolist()))
    areas = (counted.xyxy[:, 2:] - counted.xyxy[:, :2]).prod(1).tolist()
    part.box_sizes.update("small" if area < SMALL_AREA else "large" if area > LARGE_AREA else "medium" for area in areas)


def _odd(sample: Sample, image: Image) -> list[tuple[int, str]]:
    return [] if sample.boxes is None else list(odd_boxes(sample.boxes, image.shape[1], image.shape[0]))


def _label(sample: Sample) -> object:
    """What an image is labelled with, to compare copies: boxes by class and whole pixel."""
    if sample.boxes is None:
        return sample.label, sample.value, sample.labels
    rows = zip(sample.boxes.class_id.tolist(), sample.boxes.xyxy.round().astype(int).tolist(), strict=True)
    return tuple(sorted((class_id, *corners) for class_id, corners in rows))


def _shared_groups(
    parts: Sequence[PartCheck], places: Sequence[Place], groups: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, set[int]] = defaultdict(set)
    for place, group in zip(places, groups, strict=True):
        if group:
            found[group].add(place.part)
    shared = {group: numbers for group, numbers in found.items() if len(numbers) > 1}
    return tuple((group, tuple(parts[number].name for number in sorted(shared[group]))) for group in sorted(shared))
