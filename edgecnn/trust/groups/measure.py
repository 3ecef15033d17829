"""Measures a model file by groups: which is worst, how far it is behind, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, opened_model
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import measured_digest
from edgecnn.data.overlap import Overlap
from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError
from edgecnn.runtime.backends import file_format
from edgecnn.shipped import artifact
from edgecnn.trust.colours import COLOURS
from edgecnn.trust.groups.collector import GroupCollector
from edgecnn.trust.groups.columns import column_values
from edgecnn.trust.groups.group_key import MEASURED, GroupKey
from edgecnn.trust.groups.properties import PLACES
from edgecnn.trust.judgement import judge
from edgecnn.trust.significance import SIGNIFICANT, Interval, holm, ratio_interval
from edgecnn.types import Array

SCHEMA, VERSION = "edgecnn.groups", 1
FEW_THINGS = 8  # a group with fewer says nothing


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One group: its true ``things`` (images, or objects), how many are ``right``, and the 95 % interval of the share.

    ``behind`` is the share of all others minus that of the group, ``p_corrected`` the p-value of that difference after Holm's correction
    for all groups (1.0 with too few things).
    """

    name: str
    things: int
    right: int
    interval: Interval | None
    behind: float
    p_corrected: float

    @property
    def rate(self) -> float:
        """The share that is right."""
        return self.right / self.things if self.things else float("nan")

    @property
    def is_behind(self) -> bool:
        """Whether the group is surely served worse than the others."""
        return self.p_corrected < SIGNIFICANT and self.behind > 0

    def to_dict(self, total: int) -> dict[str, Any]:
        """Plain JSON values; ``total``: the things of all groups."""
        return {
            "name": self.name,
            "things": self.things,
            "share": self.things / total if total else 0.0,
            "right": self.right,
            "rate": self.rate if self.things else None,
            "interval": None if self.interval is None else list(self.interval),
            "behind_others": self.behind,
            "p_corrected": self.p_corrected,
        }


@dataclass(frozen=True, slots=True, eq=False)
class GroupEvaluation:
    """A file on a dataset by groups, the worst first; groups without a thing are in ``empty``.

    ``gap``: the share that is right in the best group minus that in the worst (of those with enough things), with its 95 % interval.
    ``never_named``: classes with things of which the file names none, with their number.
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
    notes: tuple[str, ...] = ()
    overlap: Overlap = field(default_factory=Overlap)
    digest: str = ""

    @property
    def things(self) -> int:
        """The things of all groups."""
        return sum(group.things for group in self.groups)

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
            "overall": {"rate": self.overall, "interval": _ends(self.overall_interval), "things": self.things},
            "groups": [group.to_dict(self.things) for group in self.groups],
            "empty": list(self.empty),
            "gap": {"value": self.gap, "interval": _ends(self.gap_interval)},
            "never_named": [{"class": name, "things": count} for name, count in self.never_named],
            "notes": list(self.notes),
        }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


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
    key, things, named, dataset = collector.key, collector.things, collector.named, model.dataset
    if not things.image:
        raise InputError("no image of the dataset shows anything that is labelled", "name another dataset")
    groups, possible = _groups(key, things.value, dataset, config.data.uri)
    _, image = np.unique(things.image, return_inverse=True)
    right, group, count = np.array(things.right), np.array(groups), int(image.max()) + 1
    present = [one for one in possible if one in set(groups)]
    counts = {one: (_by_image(image, right & (group == one), count), _by_image(image, group == one, count)) for one in present}
    scores = _scores(counts, _by_image(image, right, count), np.bincount(image, minlength=count), seed)
    enough = [one for one in scores if one.things >= FEW_THINGS]
    gap, interval = (enough[-1].rate - enough[0].rate, _gap_interval(counts, enough, seed)) if len(enough) > 1 else (0.0, None)
    total = np.bincount(things.truth, minlength=len(dataset.labels))
    overlap = model.overlap.finish()
    unread = (f"images that could not be read are left out ({len(unreadable)}): {unreadable[0]}",) if unreadable else ()
    return GroupEvaluation(
        file=config.file.name,
        format=file_format(config.file),
        dataset=model.opened.name,
        task=dataset.task,
        key=key,
        groups=scores,
        empty=tuple(one for one in possible if one not in counts),
        gap=gap,
        gap_interval=interval,
        overall=float(right.mean()),
        overall_interval=ratio_interval(_by_image(image, right, count), np.bincount(image, minlength=count), seed),
        never_named=tuple((dataset.labels[index], int(total[index])) for index in np.flatnonzero(total) if not named[int(index)]),
        images=count,
        unreadable=unreadable,
        notes=(*unread, *overlap.notes),
        overlap=overlap,
        digest=measured_digest(artifact(config.file), model.card),
    )


def _groups(key: GroupKey, values: list[Any], dataset: Dataset, address: str) -> tuple[list[str], list[str]]:
    """The group of each thing by name, and all groups that there could be, in order."""
    if key.kind in MEASURED:
        return _bins(np.array(values, np.float64), key.bins, key.kind)
    fixed = {"position": PLACES, "colour": COLOURS, "class": dataset.labels}.get(key.kind)
    if fixed is not None:
        return values, list(fixed)
    own = set(column_values(key, address).values()) if key.kind == "column" else set()
    return values, sorted(own | set(values))


def _bins(values: Array, bins: int, kind: str) -> tuple[list[str], list[str]]:
    """Bins of equal counts; equal values stay together, so there may be fewer."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0]])
    unit = " px" if kind == "size" else ""
    names = [f"{low:.0f} to {high:.0f}{unit}" for low, high in pairwise(edges.tolist())]
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return [names[index] for index in place.tolist()], list(dict.fromkeys(names))


def _by_image(image: Array, mask: Array, count: int) -> Array:
    return np.bincount(image[mask], minlength=count)


def _scores(counts: dict[str, tuple[Array, Array]], right: Array, things: Array, seed: int) -> list[GroupScore]:
    p_values = [_p_value(own, all_, right - own, things - all_) for own, all_ in counts.values()]
    found = []
    for (name, (own, all_)), p in zip(counts.items(), holm(p_values), strict=True):
        others = float((right - own).sum() / max((things - all_).sum(), 1))
        behind = others - own.sum() / all_.sum() if (things - all_).sum() else 0.0
        found.append(GroupScore(name, int(all_.sum()), int(own.sum()), ratio_interval(own, all_, seed), float(behind), p))
    return sorted(found, key=lambda group: (group.rate, -group.things))


def _p_value(right: Array, things: Array, other_right: Array, other_things: Array) -> float:
    """Of the difference of two shares, by the normal distribution; images are the units (Rao and Scott 1992, ratio estimates).

    One right and one wrong thing are added to each side for the variance (Agresti and Caffo 2000): a group that is all right by luck is
    not certain. 1.0 where one side has too few things.
    """
    if min(things.sum(), other_things.sum()) < FEW_THINGS:
        return 1.0
    variance = _variance(right, things) + _variance(other_right, other_things)
    difference = float(right.sum() / things.sum() - other_right.sum() / other_things.sum())
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def _variance(right: Array, things: Array) -> float:
    """Of a share: by images, and at least that of independent things."""
    total, count = float(things.sum()), int(np.count_nonzero(things))
    share = (right.sum() + 1) / (total + 2)
    residual = float(((right - right.sum() / total * things) ** 2).sum()) / total**2 * count / max(count - 1, 1)
    return max(residual, float(share * (1 - share) / (total + 2)))


def _gap_interval(counts: dict[str, tuple[Array, Array]], ordered: Sequence[GroupScore], seed: int) -> Interval | None:
    """95 % interval of best - worst by bootstrap over images, the groups chosen once."""
    (worst, worst_all), (best, best_all) = counts[ordered[0].name], counts[ordered[-1].name]
    random, size = np.random.default_rng(seed), len(worst)
    found = []
    for _ in range(1000):
        drawn = random.integers(0, size, size)
        sums = worst_all[drawn].sum(), best_all[drawn].sum()
        if all(sums):
            found.append(best[drawn].sum() / sums[1] - worst[drawn].sum() / sums[0])
    return Interval(*(float(end) for end in np.percentile(found, (2.5, 97.5)))) if len(found) > 1 else None
