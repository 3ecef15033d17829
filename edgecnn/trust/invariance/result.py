"""What a robustness measurement found: accuracy at each level of each transformation, for each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecnn.data.overlap import Overlap
from edgecnn.metrics.estimate import Interval
from edgecnn.metrics.left_out import jackknife_interval
from edgecnn.metrics.score import TITLES, Score
from edgecnn.trust.accuracy.estimate import TOO_WIDE
from edgecnn.trust.invariance.catalogue import Levels
from edgecnn.trust.invariance.evidence import ImageEvidence, class_intervals
from edgecnn.trust.invariance.transformation import Transformation


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """The accuracy of one file at one level; ``transformation`` is None for the images as they are.

    ``class_intervals`` has the intervals of ``per_class``.
    ``value`` is a fraction of 1 of the metric with the key ``metric`` (top-1, AP50, else the task's own), ``low`` and ``high`` its
    95 % interval where there is one. ``consistency`` is the share of answers that stay what they were without the change,
    ``consistency_interval`` its 95 % interval.
    """

    transformation: Transformation | None
    level: float
    metric: str
    value: float
    low: float | None
    high: float | None
    per_class: Mapping[str, float]
    support: Mapping[str, int]
    images: int
    class_intervals: Mapping[str, Interval] = field(default_factory=dict)
    consistency: float | None = None
    consistency_interval: Interval | None = None
    notes: tuple[str, ...] = ()
    evidence: ImageEvidence | None = field(default=None, compare=False, repr=False)

    @property
    def title(self) -> str:
        """Display name of the metric."""
        return TITLES[self.metric]

    @property
    def error(self) -> float:
        """1 - accuracy."""
        return 1 - self.value

    @property
    def too_few(self) -> bool:
        """Whether there are too few images to tell: no interval, or one that is wide."""
        return self.low is None or self.high is None or self.high - self.low > TOO_WIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionError:
    """The mean corruption error of a file and the relative one, with their 95 % intervals where there are some.

    ``baseline`` is the name of the file they are relative to; "" for the plain mean of the errors. ``by_corruption`` holds the same
    for each corruption.
    """

    baseline: str
    mean: float
    interval: Interval | None
    relative: float | None
    relative_interval: Interval | None
    by_corruption: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRobustness:
    """One file: accuracy without a change, at each level that was measured, and the robustness number where it can be had.

    ``name`` is that of the file, ``model`` that in its card, ``digest`` says what was measured.
    """

    name: str
    model: str
    file: str
    format: str
    precision: str
    digest: str = ""
    clean: LevelResult
    levels: tuple[LevelResult, ...]
    corruption_error: CorruptionError | None = None
    notes: tuple[str, ...] = ()

    def curve(self, transformation: str) -> tuple[LevelResult, ...]:
        """The levels of one transformation that were measured, by level."""
        own = [one for one in self.levels if one.transformation is not None and one.transformation.name == transformation]
        return tuple(sorted(own, key=lambda one: one.level))


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """The measurement of several files on the same changed images.

    ``images`` of ``available`` images were used. ``complete``: it was not interrupted.
    """

    dataset: str
    split: str
    images: int
    available: int
    labels: tuple[str, ...]
    seed: int
    transformations: Levels
    files: tuple[FileRobustness, ...]
    notes: tuple[str, ...] = ()
    complete: bool = True
    overlap: Overlap = field(default_factory=Overlap)

    @property
    def title(self) -> str:
        """Display name of the metric."""
        return self.files[0].clean.title


def level_result(
    score: Score,
    transformation: Transformation | None,
    level: float,
    *,
    consistency: float | None = None,
    consistency_interval: Interval | None = None,
    evidence: ImageEvidence | None = None,
) -> LevelResult:
    """The figures of a score that a curve shows: AP50 of boxes, because IoU at 0.95 measures how boxes were drawn, else the primary."""
    known = {} if evidence is None else class_intervals(evidence, score.n)
    metric = "ap50" if "ap50" in score.values else score.metric
    low, high = _interval(score, metric)
    return LevelResult(
        transformation=transformation,
        level=level,
        metric=metric,
        value=score.values[metric],
        low=low,
        high=high,
        per_class=score.ap50_per_class if metric == "ap50" else score.per_class,
        support=score.support,
        images=score.n,
        class_intervals={score.labels[class_id]: ends for class_id, ends in known.items()},
        consistency=consistency,
        consistency_interval=consistency_interval,
        notes=score.notes,
        evidence=evidence,
    )


def _interval(score: Score, metric: str) -> tuple[float | None, float | None]:
    """That of the score, else by the jackknife over groups of images; (None, None) with too few images."""
    low, high = score.values.get(f"{metric}_low"), score.values.get(f"{metric}_high")
    ends = jackknife_interval(score.values[metric], score.left_out) if low is None and metric == score.metric else None
    return (low, high) if ends is None else (ends[0], min(ends[1], 1.0))
