"""Collects the true instances of a dataset with their groups, image by image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from edgecnn.benchmarks.measure.evaluation import OpenedModel
from edgecnn.trust.groups.columns import column_values
from edgecnn.trust.groups.group_key import GroupKey
from edgecnn.trust.groups.grouping import Grouping
from edgecnn.trust.judgement import MISSED, Judgement
from edgecnn.types import Image


@dataclass(slots=True)
class GroupedInstances:
    """All true instances: the number of their image, group value, whether they are right, and their class."""

    image: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)


class GroupCollector:
    """The instances of the dataset of ``model``, whose address is ``uri``, by ``key``; ``named`` counts the classes that are named.

    Raises ``InputError`` for a column that no file has, and for tasks and keys that do not fit together.
    """

    def __init__(self, key: GroupKey, uri: str, model: OpenedModel) -> None:
        self.grouping = Grouping(key, model.dataset, column_values(key, uri))
        self.instances, self.named = GroupedInstances(), Counter[int]()

    def add(self, index: int, image: Image, found: Judgement) -> None:
        """Add the ``image`` at ``index`` of the dataset."""
        self.named.update(found.said[found.said != MISSED].tolist())
        self.named.update(found.extra.class_id.tolist())
        self.instances.image += [index] * len(found)
        self.instances.right += found.right.tolist()
        self.instances.truth += found.truth.tolist()
        self.instances.value += self.grouping.values(image, found)
