"""A dataset with other class names; classes that get the same name become one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import normalised, rename
from edgecnn.types import Int64


def parse_renames(text: str) -> dict[str, str]:
    """{"a": "b", "c": "d"} from "a=b,c=d"; raises ``InputError`` for anything else."""
    pairs = [part.split("=") for part in text.split(",")]
    if any(len(pair) != 2 or not all(side.strip() for side in pair) for pair in pairs):
        raise InputError('names such as "with_mask=face,without_mask=face"', repr(text), "write name=name with commas between")
    return {old.strip(): new.strip() for old, new in pairs}


def rename_classes(dataset: Dataset, renames: Mapping[str, str]) -> Dataset:
    """The dataset with the classes of ``renames`` renamed; raises ``InputError`` for a class that it does not have."""
    there = {normalised(name) for name in dataset.labels}
    unknown = [name for name in renames if normalised(name) not in there]
    if unknown:
        raise InputError(f"classes of {dataset.name} ({', '.join(dataset.labels)})", ", ".join(unknown), "correct the names")
    names = rename(dataset.labels, renames)
    labels = tuple(dict.fromkeys(names))
    new_of = np.array([labels.index(name) for name in names], np.int64)
    return dataclasses.replace(dataset.map(lambda sample: _renamed(sample, new_of)), labels=labels)


def merge_classes(dataset: Dataset, name: str) -> Dataset:
    """The dataset with all its classes as one."""
    return rename_classes(dataset, dict.fromkeys(dataset.labels, name))


def _renamed(sample: Sample, new_of: Int64) -> Sample:
    boxes = sample.boxes
    return dataclasses.replace(
        sample,
        label=None if sample.label is None else int(new_of[sample.label]),
        boxes=None if boxes is None else dataclasses.replace(boxes, class_id=new_of[boxes.class_id]),
    )
