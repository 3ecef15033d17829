"""Renames, merges and selects the classes of a dataset, and matches them with the classes of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.labels import normalize, parse_renames, rename
from edgecnn.metrics.classmap import ClassMap
from edgecnn.tasks import find
from edgecnn.types import NO_CLASS, Boxes, Image, Int64


def rename_classes(dataset: Dataset, renames: Mapping[str, str]) -> Dataset:
    """The dataset with the classes of ``renames`` renamed; raises ``InputError`` for a class that it does not have."""
    there = {normalize(name) for name in dataset.labels}
    unknown = [name for name in renames if normalize(name) not in there]
    if unknown:
        raise InputError(
            f"{dataset.name} has no class {', '.join(unknown)}", f"name some of its classes: {', '.join(dataset.labels)}"
        )
    if renames:
        _refuse_key_points(dataset)
    names = rename(dataset.labels, renames)
    # classes that were given the same name become one
    labels = tuple(dict.fromkeys(names))
    new_of = np.array([labels.index(name) for name in names], np.int64)
    changed = dataset.map(lambda sample: _renamed(sample, new_of))
    return dataclasses.replace(changed, labels=labels, unlabelled=_still_unlabelled(dataset.unlabelled, new_of))


def ignore_classes(dataset: Dataset, renames: Mapping[str, str]) -> Dataset:
    """The dataset with the boxes of the classes of ``renames`` as ignored (crowd) boxes of the classes that they are renamed to.

    Raises ``InputError`` for a class that it does not have, and for a dataset without boxes.
    """
    if not find(dataset.task).has_boxes:
        raise InputError(f"ignore= is for boxes, but {dataset.name} is a dataset to {dataset.task}", "leave it out")
    names = {normalize(name) for name in renames}
    ignored = [index for index, name in enumerate(dataset.labels) if normalize(name) in names]

    def change(sample: Sample) -> Sample:
        if sample.boxes is None:
            return sample
        crowd = np.isin(sample.boxes.class_id, ignored) | (False if sample.boxes.crowd is None else sample.boxes.crowd)
        return dataclasses.replace(sample, boxes=dataclasses.replace(sample.boxes, crowd=crowd))

    return rename_classes(dataset.map(change), renames)


def _refuse_key_points(dataset: Dataset) -> None:
    if dataset.task == "pose":
        raise InputError(f"the labels of {dataset.name} are key points, which can't be selected or renamed", "leave classes= out")


def merge_classes(dataset: Dataset, name: str) -> Dataset:
    """The dataset with all classes merged into one called ``name``."""
    return rename_classes(dataset, dict.fromkeys(dataset.labels, name))


def to_classes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """The dataset with exactly ``classes``, in this order; other classes are removed, missing ones become ``unlabelled``.

    Boxes of other classes are removed but their images are kept; images labelled as another class are removed. Case and separators
    of names are ignored.
    Raises ``InputError`` where the dataset has none of them.
    """
    _refuse_key_points(dataset)
    ids = {normalize(name): index for index, name in enumerate(classes)}
    new_of = np.array([ids.get(normalize(name), -1) for name in dataset.labels], np.int64)
    lacking = frozenset(range(len(classes))) - set(new_of.tolist())
    if len(lacking) == len(classes):
        problem = f"{dataset.name} has the classes {', '.join(dataset.labels) or '(none)'}, but none of {', '.join(classes)}"
        raise InputError(problem, "map them with rename=old:new, or leave the dataset out")
    if find(dataset.task).truth == "label":
        dataset = dataset.pick([i for i, one in enumerate(dataset.samples) if one.label is not None and new_of[one.label] >= 0])
    lacking |= _still_unlabelled(dataset.unlabelled, new_of)

    def change(sample: Sample) -> Sample:
        changed = _renamed(sample, new_of)
        return dataclasses.replace(changed, unlabelled=changed.unlabelled | lacking)

    return dataclasses.replace(dataset.map(change), labels=tuple(classes), unlabelled=lacking)


def match_classes(
    dataset: Dataset, labels: tuple[str, ...], renames: str | None = None, merge: str | None = None
) -> tuple[Dataset, ClassMap]:
    """Rename the classes of a dataset, and map the classes of a model with ``labels`` to them.

    ``renames`` "a:b,c:d" apply to both sides; ``merge`` makes one class of all classes of the dataset.
    Raises ``InputError`` for a name that neither side has, and where they have no class in common.
    """
    changes = parse_renames(renames) if renames else {}
    known = {normalize(name) for name in (*dataset.labels, *labels)}
    unknown = [name for name in changes if normalize(name) not in known]
    if unknown:
        classes = f"of {dataset.name} ({', '.join(dataset.labels)}) or of the model"
        raise InputError(f"{', '.join(unknown)} is not a class {classes}", "correct the names")
    own = {normalize(name) for name in dataset.labels}
    dataset = rename_classes(dataset, {old: new for old, new in changes.items() if normalize(old) in own})
    labels = rename(labels, changes)
    if merge:
        changes = dict.fromkeys(dataset.labels, merge)
        dataset, labels = rename_classes(dataset, changes), rename(labels, changes)
    return dataset, find(dataset.task).match_labels(labels, dataset.labels)


def _renamed(sample: Sample, new_of: Int64) -> Sample:
    return dataclasses.replace(
        sample,
        label=None if sample.label is None else int(new_of[sample.label]),
        labels=None if sample.labels is None else frozenset(new_of[list(sample.labels)].tolist()) - {-1},
        unlabelled=_still_unlabelled(sample.unlabelled, new_of),
        boxes=sample.boxes
        if sample.boxes is None or sample.points is not None
        else _with_classes(sample.boxes, new_of[sample.boxes.class_id]),
        mask=None if sample.mask is None else partial(_renamed_mask, sample.mask, new_of),
    )


def _renamed_mask(read: Callable[[], Image], new_of: Int64) -> Image:
    """A mask with new class ids; pixels of a removed class do not count."""
    table = np.full(256, NO_CLASS, np.uint8)
    table[: len(new_of)] = np.where(new_of < 0, NO_CLASS, new_of)
    return table[read()]


def _still_unlabelled(unlabelled: frozenset[int], new_of: Int64) -> frozenset[int]:
    """New ids of the classes that remain unlabelled; a merged class is labelled if one of its parts is."""
    if not unlabelled:
        return unlabelled
    labelled = {int(new) for old, new in enumerate(new_of) if old not in unlabelled}
    return frozenset(int(new_of[old]) for old in unlabelled) - labelled - {-1}  # -1: removed


def _with_classes(boxes: Boxes, class_id: Int64) -> Boxes:
    """The boxes with new class ids, without boxes of class -1."""
    changed = dataclasses.replace(boxes, class_id=class_id)
    return changed if (class_id >= 0).all() else changed.pick(class_id >= 0)
