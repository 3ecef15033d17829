"""Collects the true things of a dataset with their groups, image by image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from edgecnn.benchmarks.measure.evaluation import OpenedModel
from edgecnn.errors import InputError
from edgecnn.trust.groups.columns import NO_VALUE, column_values, value_of
from edgecnn.trust.groups.group_key import GroupKey
from edgecnn.trust.groups.properties import PROPERTIES
from edgecnn.trust.judgement import MISSED, Judgement
from edgecnn.types import Image

JUDGED = ("classify", "detect")


@dataclass(slots=True)
class GroupedThings:
    """All true things: the number of their image, group value, whether they are right, and their class."""

    image: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)


class GroupCollector:
    """The things of the dataset of ``model``, whose address is ``uri``, by ``key``; ``named`` counts the classes that are named.

    Raises ``InputError`` for a column that no file has, and for tasks and keys that do not fit together.
    """

    def __init__(self, key: GroupKey, uri: str, model: OpenedModel) -> None:
        self._values = column_values(key, uri)
        self._labels = model.dataset.labels
        self.key, self.things, self.named = key, GroupedThings(), Counter[int]()
        if model.dataset.task not in JUDGED or not self._labels:
            raise InputError(
                f"--group-by counts things that are right, which needs images with classes or boxes, but {model.opened.name} has none",
                "name a labelled dataset for a classifier or a detector",
            )
        if key.kind == "position" and model.dataset.task == "classify":
            raise InputError(
                "--group-by position needs boxes, but this is a dataset of whole images", "group by another property"
            )

    def add(self, index: int, image: Image, found: Judgement) -> None:
        """Add the ``image`` at ``index`` of the dataset."""
        self.named.update(found.said[found.said != MISSED].tolist())
        self.named.update(found.extra.class_id.tolist())
        self.things.image += [index] * len(found)
        self.things.right += found.right.tolist()
        self.things.truth += found.truth.tolist()
        self.things.value += [self._value(image, found, place) for place in range(len(found))]

    def _value(self, image: Image, found: Judgement, place: int) -> Any:
        if self.key.kind == "class":
            return self._labels[int(found.truth[place])]
        if self.key.kind == "column":
            return value_of(self._values, found.name)
        if self.key.kind == "folder":
            folders = PurePath(found.name).parent.parts
            return folders[self.key.level - 1] if len(folders) >= self.key.level else NO_VALUE
        return PROPERTIES[self.key.kind](image, found.xyxy[place])
