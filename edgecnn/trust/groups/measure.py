"""Measures a model file by groups: which is worst, how far it is behind, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, opened_model
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import measured_digest
from edgecnn.data.overlap import Overlap
from edgecnn.errors import InputError
from edgecnn.metrics.estimate import Interval, ends, percentile_interval
from edgecnn.runtime.backends import file_format
from edgecnn.shipped import artifact
from edgecnn.trust.groups.collector import GroupCollector
from edgecnn.trust.groups.columns import column_values
from edgecnn.trust.groups.group_key import GroupKey
from edgecnn.trust.judgement import judge
from edgecnn.trust.significance import SIGNIFICANT, holm, ratio_interval
from edgecnn.types import Array

SCHEMA, VERSION = "edgecnn.groups", 2  # version 1 had neither seed nor behind_interval
RESAMPLES = 1000
FEW_INSTANCES = 8  # a group with fewer says nothing


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One group: its true ``instances`` (images, or objects), how many are ``right``, and the 95 % interval of the share.

    ``behind`` is the share of all others minus that of the group with its interval, ``p_corrected`` the p-value of that difference
    after Holm's correction for all groups (1.0 with too few instances).
    """

    name: str
    instances: int
    right: int
    interval: Interval | None
    behind: float
    behind_interval: Interval | None
    p_corrected: float

    @property
    def rate(self) -> float:
        """The share that is right."""
        return self.right / self.instances if self.instances else float("nan")

    @property
    def is_behind(self) -> bool:
        """Whether the group is surely served worse than the others."""
        return self.p_corrected < SIGNIFICANT and self.behind > 0

    def to_dict(self, total: int) -> dict[str, Any]:
        """Plain JSON values; ``total``: the instances of all groups."""
        return {
            "name": self.name,
            "instances": self.instances,
            "share": self.instances / total if total else 0.0,
            "right": self.right,
            "rate": self.rate if self.instances else None,
            "interval": ends(self.interval),
            "behind_others": self.behind,
            "behind_interval": ends(self.behind_interval),
            "p_corrected": self.p_corrected,
        }


@dataclass(frozen=True, slots=True, eq=False)
class GroupEvaluation:
    """A file on a dataset by groups, the worst first; groups without an instance are in ``empty``.

    ``gap``: the share that is right in the best group minus that in the worst (of those with enough instances), with its 95 % interval.
    ``never_named``: classes with instances of which the file names none, with their number.
    """

    file: str
    format: str
    dataset: str
    task: str
    key: GroupKey
    groups: Sequence[GroupScore]
    empty: tuple[str, ...]
    gap: float
    gap_interval: Interval | None
    overall: float
    overall_interval: Interval | None
    never_named: tuple[tuple[str, int], ...]
    images: int
    unreadable: tuple[str, ...]
    seed: int
    notes: tuple[str, ...] = ()
    overlap: Overlap = field(default_factory=Overlap)
    digest: str = ""

    @property
    def instances(self) -> int:
        """The instances of all groups."""
        return sum(group.instances for group in self.groups)

    @property
    def behind(self) -> list[GroupScore]:
        """The groups that are surely served worse."""
        return [group for group in self.groups if group.is_behind]

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn evaluate --group-by --json`."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "file": self.file,
            "format": self.format,
            "digest": self.digest,
            "dataset": {"name": self.dataset, "image_count": self.images, "unreadable": list(self.unreadable)},
            "overlap": self.overlap.to_document(),
            "task": self.task,
            "group_by": self.key.title,
            "seed": self.seed,
            "overall": {"rate": self.overall, "interval": ends(self.overall_interval), "instances": self.instances},
            "groups": [group.to_dict(self.instances) for group in self.groups],
            "empty": list(self.empty),
            "gap": {"value": self.gap, "interval": ends(self.gap_interval)},
            "never_named": [{"class": name, "instances": count} for name, count in self.never_named],
            "notes": list(self.notes),
        }


def evaluate_groups(
    config: EvaluationConfig,
    key: GroupKey,
    *,
    seed: int = 0,
    report: Progress = no_progress,
    progress: Callable[[int, int], None] | None = None,
) -> GroupEvaluation:
    """Measure one file by the groups of ``key``; raises what opening file and dataset raise, and ``InputError`` for other tasks."""
    column_values(key, config.data.uri)  # told before a long loading
    with opened_model(config, report) as model:
        collector, unreadable = GroupCollector(key, config.data.uri, model), []
        for index, sample in enumerate(model.dataset.samples):
            try:
                image = sample.read()
            except InputError as error:
                if config.data.strict:
                    raise
                unreadable.append(f"{sample.name} ({error.problem})")
                continue
            collector.add(index, image, judge(model.predictor(image), sample, model.classes))
            if progress is not None:
                progress(index + 1, len(model.dataset.samples))
        return group_result(config, collector, model, seed, tuple(unreadable))


def group_result(
    config: EvaluationConfig, collector: GroupCollector, model: OpenedModel, seed: int, unreadable: tuple[str, ...]
) -> GroupEvaluation:
    """The groups of what was collected; raises ``InputError`` where no image shows anything, and ``OverlapError``."""
    instances, named, dataset = collector.instances, collector.named, model.dataset
    if not instances.image:
        raise InputError("no image of the dataset shows anything that is labelled", "name another dataset")
    groups, possible = collector.grouping.names(instances.value)
    _, image = np.unique(instances.image, return_inverse=True)
    right, group, count = np.array(instances.right), np.array(groups), int(image.max()) + 1
    present = [one for one in possible if one in set(groups)]
    counts = {one: (_by_image(image, right & (group == one), count), _by_image(image, group == one, count)) for one in present}
    drawn = _DrawnCounts(counts, seed)
    scores = _scores(counts, _by_image(image, right, count), np.bincount(image, minlength=count), drawn, seed)
    enough = [one for one in scores if one.instances >= FEW_INSTANCES]
    gap, interval = (
        (enough[-1].rate - enough[0].rate, drawn.gap(enough[0].name, enough[-1].name)) if len(enough) > 1 else (0.0, None)
    )
    total = np.bincount(instances.truth, minlength=len(dataset.labels))
    known = set(model.classes.dataset_class.tolist())  # others are said in the notes: the model can't name them
    overlap = model.overlap.finish()
    unread = (f"images that could not be read are left out ({len(unreadable)}): {unreadable[0]}",) if unreadable else ()
    return GroupEvaluation(
        file=config.file.name,
        format=file_format(config.file),
        dataset=model.opened.name,
        task=dataset.task,
        key=collector.grouping.key,
        groups=scores,
        empty=tuple(one for one in possible if one not in counts),
        gap=gap,
        gap_interval=interval,
        overall=float(right.mean()),
        overall_interval=ratio_interval(_by_image(image, right, count), np.bincount(image, minlength=count), seed),
        never_named=tuple(
            (dataset.labels[index], int(total[index]))
            for index in np.flatnonzero(total).tolist()
            if not named[index] and index in known
        ),
        images=count,
        unreadable=unreadable,
        seed=seed,
        notes=(*model.classes.notes, *unread, *overlap.notes),
        overlap=overlap,
        digest=measured_digest(artifact(config.file), model.card),
    )


def _by_image(image: Array, mask: Array, count: int) -> Array:
    return np.bincount(image[mask], minlength=count)


def _scores(
    counts: dict[str, tuple[Array, Array]], right: Array, instances: Array, drawn: _DrawnCounts, seed: int
) -> list[GroupScore]:
    p_values = [_p_value(own, all_, right - own, instances - all_) for own, all_ in counts.values()]
    found = []
    for (name, (own, all_)), p in zip(counts.items(), holm(p_values), strict=True):
        others = float((right - own).sum() / max((instances - all_).sum(), 1))
        behind = others - own.sum() / all_.sum() if (instances - all_).sum() else 0.0
        interval = ratio_interval(own, all_, seed)
        found.append(GroupScore(name, int(all_.sum()), int(own.sum()), interval, float(behind), drawn.behind(name), p))
    return sorted(found, key=lambda group: (group.rate, -group.instances))


class _DrawnCounts:
    """Right and all instances of each group, over images drawn with replacement."""

    def __init__(self, counts: dict[str, tuple[Array, Array]], seed: int) -> None:
        rows = np.array([row for pair in counts.values() for row in pair], np.float64)
        random, size = np.random.default_rng(seed), rows.shape[1]
        drawn = [rows @ np.bincount(random.integers(0, size, size), minlength=size) for _ in range(RESAMPLES)]
        sums = np.array(drawn).reshape(RESAMPLES, len(counts), 2)
        self._of = {name: (sums[:, place, 0], sums[:, place, 1]) for place, name in enumerate(counts)}
        self._right, self._instances = sums[..., 0].sum(1), sums[..., 1].sum(1)

    def behind(self, name: str) -> Interval | None:
        """How far all others are ahead of a group."""
        right, instances = self._of[name]
        return percentile_interval(_ratio(self._right - right, self._instances - instances) - _ratio(right, instances))

    def gap(self, worst: str, best: str) -> Interval | None:
        """How far one group is ahead of another; the two were chosen once."""
        return percentile_interval(_ratio(*self._of[best]) - _ratio(*self._of[worst]))


def _ratio(right: Array, instances: Array) -> Array:
    return np.where(instances > 0, right / np.maximum(instances, 1), np.nan)


def _p_value(right: Array, instances: Array, other_right: Array, other_instances: Array) -> float:
    """Of the difference of two shares, by the normal distribution; images are the units (Rao and Scott 1992, ratio estimates).

    One right and one wrong instance are added to each side for the variance (Agresti and Caffo 2000): a group that is all right by luck is
    not certain. 1.0 where one side has too few instances.
    """
    if min(instances.sum(), other_instances.sum()) < FEW_INSTANCES:
        return 1.0
    variance = _variance(right, instances) + _variance(other_right, other_instances)
    difference = float(right.sum() / instances.sum() - other_right.sum() / other_instances.sum())
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def _variance(right: Array, instances: Array) -> float:
    """Of a share: by images, and at least that of independent instances."""
    total, count = float(instances.sum()), int(np.count_nonzero(instances))
    share = (right.sum() + 1) / (total + 2)
    residual = float(((right - right.sum() / total * instances) ** 2).sum()) / total**2 * count / max(count - 1, 1)
    return max(residual, float(share * (1 - share) / (total + 2)))
