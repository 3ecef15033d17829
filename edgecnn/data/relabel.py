"""A dataset with other class names; classes that get the same name become one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import normalised, rename
from edgecnn.types import Boxes, Int64

SIGN = re.compile("[=:]")


def parse_renames(text: str) -> dict[str, str]:
    """{"a": "b", "c": "d", "e": "d"} from "a=b,c,e=d" or "a:b,c,e:d": a name without a new one takes that of the next that has one.

    Raises ``InputError`` for anything else.
    """
    changes: dict[str, str] = {}
    waiting: list[str] = []
    for part in text.split(","):
        old, *new = (side.strip() for side in SIGN.split(part))
        if len(new) > 1 or not all((old, *new)):
            raise _no_renames(text)
        waiting.append(old)
        if new:
            changes.update(dict.fromkeys(waiting, new[0]))
            waiting = []
    if waiting:
        raise _no_renames(text)
    return changes


def _no_renames(text: str) -> InputError:
    wanted = 'names such as "with_mask=face,without_mask=face"'
    return InputError(wanted, repr(text), "write name=name with commas between, or name,name=name for several that become one")


def rename_classes(dataset: Dataset, renames: Mapping[str, str]) -> Dataset:
    """The dataset with the classes of ``renames`` renamed; raises ``InputError`` for a class that it does not have."""
    there = {normalised(name) for name in dataset.labels}
    unknown = [name for name in renames if normalised(name) not in there]
    if unknown:
        raise InputError(f"classes of {dataset.name} ({', '.join(dataset.labels)})", ", ".join(unknown), "correct the names")
    names = rename(dataset.labels, renames)
    labels = tuple(dict.fromkeys(names))
    new_of = np.array([labels.index(name) for name in names], np.int64)
    changed = dataset.map(lambda sample: _renamed(sample, new_of))
    return dataclasses.replace(changed, labels=labels, unlabelled=_still_unlabelled(dataset.unlabelled, new_of))


def merge_classes(dataset: Dataset, name: str) -> Dataset:
    """The dataset with all its classes as one."""
    return rename_classes(dataset, dict.fromkeys(dataset.labels, name))


def to_classes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """The dataset with exactly ``classes``, in this order: its others are left out, those that it lacks are ``unlabelled`` in it.

    Boxes of other classes go, their images stay; images of other classes go. How a name is written does not matter.
    Raises ``InputError`` where the dataset has none of them.
    """
    ids = {normalised(name): index for index, name in enumerate(classes)}
    new_of = np.array([ids.get(normalised(name), -1) for name in dataset.labels], np.int64)
    lacking = frozenset(range(len(classes))) - set(new_of.tolist())
    if len(lacking) == len(classes):
        found = f"{', '.join(dataset.labels) or 'no classes'} in {dataset.name}"
        raise InputError(f"one of the classes {', '.join(classes)}", found, "rename=old:new says which is which, or leave it out")
    if dataset.task == "classify":
        dataset = dataset.pick([i for i, one in enumerate(dataset.samples) if one.label is not None and new_of[one.label] >= 0])
    lacking |= _still_unlabelled(dataset.unlabelled, new_of)

    def change(sample: Sample) -> Sample:
        changed = _renamed(sample, new_of)
        return dataclasses.replace(changed, unlabelled=changed.unlabelled | lacking)

    return dataclasses.replace(dataset.map(change), labels=tuple(classes), unlabelled=lacking)


def _renamed(sample: Sample, new_of: Int64) -> Sample:
    return dataclasses.replace(
        sample,
        label=None if sample.label is None else int(new_of[sample.label]),
        unlabelled=_still_unlabelled(sample.unlabelled, new_of),
        boxes=None if sample.boxes is None else _with_classes(sample.boxes, new_of[sample.boxes.class_id]),
    )


def _still_unlabelled(unlabelled: frozenset[int], new_of: Int64) -> frozenset[int]:
    """New ids of classes no part of which is labelled."""
    if not unlabelled:
        return unlabelled
    labelled = {int(new) for old, new in enumerate(new_of) if old not in unlabelled}
    return frozenset(int(new_of[old]) for old in unlabelled) - labelled - {-1}


def _with_classes(boxes: Boxes, class_id: Int64) -> Boxes:
    """The boxes with other class ids, those of class -1 left out."""
    changed = dataclasses.replace(boxes, class_id=class_id)
    return changed if (class_id >= 0).all() else changed.pick(class_id >= 0)
