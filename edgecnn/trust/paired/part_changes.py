"""Which parts of the data pay, classes or groups: a paired test for each, corrected for how many are tested."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.labels import label_of
from edgecnn.metrics.estimate import Interval, ends
from edgecnn.trust.paired.image_pair import ImagePair
from edgecnn.trust.significance import SIGNIFICANT, holm, paired_test, ratio_interval
from edgecnn.types import Array, Int64


@dataclass(frozen=True, slots=True)
class PartChange:
    """What changed for one class or group. Counts are of instances: images, or objects.

    With labels ``instances`` are the true ones and ``before`` and ``after`` those that are right; without labels ``before`` and ``after``
    are what each file names, and ``instances`` is ``before``. ``difference`` is (after - before) / instances with its 95 % ``interval``,
    ``p`` the p-value of the paired test over images, ``p_corrected`` that after Holm's correction for all classes (groups).
    ``extra_before`` and ``extra_after`` count what is named wrongly as this class; 0 for groups.
    """

    name: str
    instances: int
    before: int
    after: int
    lost: int
    gained: int
    interval: Interval | None
    p: float
    p_corrected: float
    extra_before: int = 0
    extra_after: int = 0

    @property
    def difference(self) -> float:
        """Change as a fraction of the instances."""
        return (self.after - self.before) / self.instances if self.instances else 0.0

    @property
    def is_sure(self) -> bool:
        """Whether the change is more than chance, with all of them tested."""
        return self.p_corrected < SIGNIFICANT

    @property
    def pays(self) -> bool:
        """Whether it surely lost."""
        return self.is_sure and self.difference < 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "instances": self.instances,
            "before": self.before,
            "after": self.after,
            "lost": self.lost,
            "gained": self.gained,
            "difference": self.difference,
            "interval": ends(self.interval),
            "p": self.p,
            "p_corrected": self.p_corrected,
            "extra_before": self.extra_before,
            "extra_after": self.extra_after,
        }


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """By image and class or group (images, k): true instances, right before and after (or named), wrongly named before and after."""

    instances: Array
    before: Array
    after: Array
    lost: Array
    gained: Array
    extra_before: Array
    extra_after: Array

    @classmethod
    def zeros(cls, images: int, parts: int) -> ChangeCounts:
        """Nothing yet."""
        return cls(*(np.zeros((images, parts), np.int32) for _ in dataclasses.fields(cls)))

    def set(self, row: int, **ids: Int64 | Sequence[int] | None) -> None:
        """Count for one image how often each class or group is among ``ids``, by the name of the count."""
        for name, own in ids.items():
            counts = getattr(self, name)
            counts[row] = np.bincount(np.asarray(own, np.int64), minlength=counts.shape[1])


def part_changes(counts: ChangeCounts, names: Sequence[str], seed: int = 0) -> list[PartChange]:
    """The change of each class or group that occurs, the surest and largest loss first."""
    present = np.flatnonzero(counts.instances.sum(0) + counts.after.sum(0) > 0)
    p_values = [paired_test(counts.after[:, index] - counts.before[:, index]) for index in present]
    found = []
    for index, p, corrected in zip(present.tolist(), p_values, holm(p_values), strict=True):
        change = counts.after[:, index] - counts.before[:, index]
        found.append(
            PartChange(
                name=label_of(names, index),
                instances=int(counts.instances[:, index].sum()),
                before=int(counts.before[:, index].sum()),
                after=int(counts.after[:, index].sum()),
                lost=int(counts.lost[:, index].sum()),
                gained=int(counts.gained[:, index].sum()),
                interval=ratio_interval(change, counts.instances[:, index], seed),
                p=p,
                p_corrected=corrected,
                extra_before=int(counts.extra_before[:, index].sum()),
                extra_after=int(counts.extra_after[:, index].sum()),
            )
        )
    return sorted(found, key=lambda change: (not change.is_sure, change.difference, change.p))


def class_changes(pairs: Sequence[ImagePair], labels: Sequence[str], seed: int = 0) -> list[PartChange]:
    """The change of each class that occurs."""
    highest = max((int(ids.max(initial=-1)) for pair in pairs for ids in (pair.named_before, pair.named_after)), default=-1)
    counts = ChangeCounts.zeros(len(pairs), max(len(labels), highest + 1))
    for row, pair in enumerate(pairs):
        if pair.truth is None or pair.right_before is None or pair.right_after is None:
            counts.set(row, instances=pair.named_before, before=pair.named_before, after=pair.named_after)
            before, after = counts.before[row], counts.after[row]
            counts.lost[row], counts.gained[row] = np.maximum(before - after, 0), np.maximum(after - before, 0)
            continue
        counts.set(
            row,
            instances=pair.truth,
            before=pair.truth[pair.right_before],
            after=pair.truth[pair.right_after],
            lost=pair.lost,
            gained=pair.gained,
            extra_before=pair.extra_before,
            extra_after=pair.extra_after,
        )
    return part_changes(counts, labels, seed)
