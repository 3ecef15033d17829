"""Which group each true instance of an image belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np

from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError
from edgecnn.trust.colours import COLOURS
from edgecnn.trust.groups.columns import NO_VALUE, value_of
from edgecnn.trust.groups.group_key import MEASURED, GroupKey
from edgecnn.trust.groups.properties import PLACES, PROPERTIES
from edgecnn.trust.judgement import JUDGED, Judgement
from edgecnn.types import Array, Image


class Grouping:
    """The groups of ``key`` among the true instances of a dataset; ``columns`` is what ``column_values`` gave.

    Raises ``InputError`` for a dataset whose instances can't be grouped.
    """

    def __init__(self, key: GroupKey, dataset: Dataset, columns: Mapping[str, str]) -> None:
        if dataset.task not in JUDGED or not dataset.labels:
            raise InputError(
                f"--group-by counts instances that are right, which needs images with classes or boxes, but {dataset.name} has none",
                "name a labelled dataset for a classifier or a detector",
            )
        if key.kind == "position" and dataset.task == "classify":
            raise InputError(
                "--group-by position needs boxes, but this is a dataset of whole images", "group by another property"
            )
        self.key, self._labels, self._columns = key, dataset.labels, columns

    def values(self, image: Image, found: Judgement) -> list[Any]:
        """The value of each true instance of an image: a name, or the number of a measured property."""
        kind = self.key.kind
        if kind == "class":
            return [self._labels[index] for index in found.truth.tolist()]
        if kind == "column":
            return [value_of(self._columns, found.name)] * len(found)
        if kind == "folder":
            folders = PurePath(found.name).parent.parts
            return [folders[self.key.level - 1] if len(folders) >= self.key.level else NO_VALUE] * len(found)
        return [PROPERTIES[kind](image, box) for box in found.xyxy]

    def names(self, values: list[Any]) -> tuple[list[str], list[str]]:
        """The group of each instance by name, from the values of all instances, and all groups that there could be, in order."""
        if self.key.kind in MEASURED:
            return _bins(np.array(values, np.float64), self.key.bins, self.key.kind)
        fixed = {"position": PLACES, "colour": COLOURS, "class": self._labels}.get(self.key.kind)
        return values, list(fixed) if fixed is not None else sorted({*self._columns.values(), *values})


def _bins(values: Array, bins: int, kind: str) -> tuple[list[str], list[str]]:
    """Bins of equal counts; equal values stay together, so there may be fewer."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0]])
    unit = " px" if kind == "size" else ""
    names = [f"{low:.0f} to {high:.0f}{unit}" for low, high in pairwise(edges.tolist())]
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return [names[index] for index in place.tolist()], list(dict.fromkeys(names))
