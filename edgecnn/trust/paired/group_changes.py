"""Which groups of images or objects pay: the paired test of each group, corrected for how many groups are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.trust.groups.grouping import Grouping
from edgecnn.trust.judgement import Judgement
from edgecnn.trust.paired.image_pair import ImagePair
from edgecnn.trust.paired.part_changes import ChangeCounts, PartChange, part_changes
from edgecnn.types import Image


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What changed for each group ``by`` a key, the surest and largest loss first; groups without an instance are in ``empty``."""

    by: str
    changes: Sequence[PartChange]
    empty: tuple[str, ...]

    @property
    def paying(self) -> list[PartChange]:
        """The groups that surely lost."""
        return [change for change in self.changes if change.pays]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"by": self.by, "changes": [change.to_dict() for change in self.changes], "empty": list(self.empty)}


@dataclass(slots=True)
class GroupChangeCollector:
    """Collects the group values of the true instances, image by image."""

    grouping: Grouping
    _values: list[Any] = field(default_factory=list)

    def add(self, image: Image, judgement: Judgement) -> None:
        """Add the instances of the next image, which are the same for both files."""
        self._values += self.grouping.values(image, judgement)

    def result(self, pairs: Sequence[ImagePair], seed: int) -> GroupChanges:
        """The changes of the groups; ``pairs`` are the images that were added, in their order."""
        if not self._values:
            return GroupChanges(self.grouping.key.title, (), ())
        names, possible = self.grouping.names(self._values)
        place = {name: index for index, name in enumerate(possible)}
        every = np.array([place[name] for name in names], np.int64)
        counts, first = ChangeCounts.zeros(len(pairs), len(possible)), 0
        for row, pair in enumerate(pairs):
            if pair.truth is None or pair.right_before is None or pair.right_after is None:
                continue
            own, before, after = every[first : first + len(pair.truth)], pair.right_before, pair.right_after
            first += len(pair.truth)
            counts.set(
                row, instances=own, before=own[before], after=own[after], lost=own[before & ~after], gained=own[after & ~before]
            )
        found = part_changes(counts, possible, seed)
        there = {change.name for change in found}
        return GroupChanges(self.grouping.key.title, found, tuple(name for name in possible if name not in there))
