"""The result of comparing two files of one model: what changed, for whom, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.data.overlap import Overlap
from edgecnn.labels import label_of
from edgecnn.metrics.estimate import Interval, ends
from edgecnn.trust.collapse.causes import CollapseCause
from edgecnn.trust.paired.group_changes import GroupChanges
from edgecnn.trust.paired.image_pair import ImagePair
from edgecnn.trust.paired.measure import MeanChange
from edgecnn.trust.paired.part_changes import PartChange
from edgecnn.trust.paired.score_drift import ScoreDrift
from edgecnn.trust.significance import FEW

SCHEMA, VERSION = "edgecnn.paired_evaluation", 2  # version 1 had neither seed nor groups


@dataclass(frozen=True, slots=True)
class PairedFile:
    """One of the two files: path, format, precision, and the ``digest`` of what was measured."""

    file: Path
    format: str
    precision: str
    digest: str = ""

    @property
    def shown(self) -> str:
        """Name, format and precision for a heading."""
        precision = "" if self.precision == "unknown" else f", {self.precision}"
        return f"{self.file.name} ({self.format}{precision})"


@dataclass(frozen=True, slots=True, eq=False)
class PairedEvaluation:
    """Two files on one dataset.

    ``agreement`` is the share of labels or boxes that are the same, with its 95 % interval. ``mean`` is None without labels; then
    ``classes`` count what each file names. ``groups`` are None where none were asked for. ``images`` are all images,
    in order; ``labels`` the names of their classes.
    """

    before: PairedFile
    after: PairedFile
    dataset: str
    split: str
    task: str
    labels: tuple[str, ...]
    images: Sequence[ImagePair]
    unreadable: tuple[str, ...]
    agreement: float
    agreement_interval: Interval | None
    mean: MeanChange | None
    classes: Sequence[PartChange]
    groups: GroupChanges | None
    drift: ScoreDrift | None
    causes: Sequence[CollapseCause]
    notes: tuple[str, ...]
    config: EvaluationConfig
    seed: int
    overlap: Overlap = field(default_factory=Overlap)

    @property
    def changed(self) -> list[ImagePair]:
        """The images on which the files differ, worst first."""
        return sorted((pair for pair in self.images if pair.changed), key=lambda pair: (*pair.badness, -pair.index), reverse=True)

    @property
    def has_truth(self) -> bool:
        """Whether the true instances of the images are known."""
        return any(pair.truth is not None for pair in self.images)

    @property
    def paying(self) -> list[PartChange]:
        """The classes that surely lost."""
        return [change for change in self.classes if change.pays]

    @property
    def too_few(self) -> bool:
        """Whether there are too few images to say anything of a class."""
        return len(self.images) < FEW

    def names(self, ids: Sequence[int]) -> list[str]:
        """The names of classes."""
        return [label_of(self.labels, index) for index in ids]

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn evaluate A B --json`."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "before": _file(self.before),
            "after": _file(self.after),
            "dataset": {
                "name": self.dataset,
                "split": self.split,
                "image_count": len(self.images),
                "unreadable": list(self.unreadable),
            },
            "overlap": self.overlap.to_document(),
            "task": self.task,
            "agreement": {"share": self.agreement, "interval": ends(self.agreement_interval)},
            "mean": None if self.mean is None else _mean(self.mean),
            "seed": self.seed,
            "classes": [change.to_dict() for change in self.classes],
            "groups": None if self.groups is None else self.groups.to_dict(),
            "score_drift": None if self.drift is None else self.drift.to_dict(),
            "causes": [
                {"name": one.name, "words": one.words, "fatal": one.fatal, "evidence": one.evidence} for one in self.causes
            ],
            "images": [self._image(pair) for pair in self.changed],
            "notes": list(self.notes),
        }

    def _image(self, pair: ImagePair) -> dict[str, Any]:
        return {
            "name": pair.name,
            "index": pair.index,
            "same": pair.same,
            "total": pair.total,
            "lost": self.names(pair.lost),
            "gained": self.names(pair.gained),
            "more_false_positives": pair.more_extra,
            "named_before": self.names(pair.named_before.tolist()),
            "named_after": self.names(pair.named_after.tolist()),
            "largest_score_change": float(np.abs(pair.moved).max(initial=0.0)),
        }


def _file(file: PairedFile) -> dict[str, Any]:
    return {"file": str(file.file), "format": file.format, "precision": file.precision, "digest": file.digest}


def _mean(mean: MeanChange) -> dict[str, Any]:
    return {
        "metric": mean.before.metric,
        "before": mean.before.to_dict(),
        "after": mean.after.to_dict(),
        "difference": mean.difference,
        "interval": ends(mean.interval),
    }
