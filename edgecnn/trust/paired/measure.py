"""Adds up the scores of two files on the same images, for the difference of their metrics with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.data.sample import Dataset, Sample
from edgecnn.metrics.classmap import ClassMap
from edgecnn.metrics.estimate import Interval
from edgecnn.metrics.left_out import paired_difference
from edgecnn.metrics.score import IN_UNITS, Score
from edgecnn.tasks import find
from edgecnn.types import Prediction

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class MeanChange:
    """The primary metric ``before`` and ``after`` with both scores, and the 95 % interval of the difference (None: too few images)."""

    before: Score
    after: Score
    interval: Interval | None

    @property
    def difference(self) -> float:
        """After - before, in the units of the metric: a fraction of 1, or those of the value."""
        return self.after.primary - self.before.primary


class PairedMeasure:
    """The measure of a dataset's task for two files; call ``add`` for each image that both files saw."""

    def __init__(self, dataset: Dataset, classes: ClassMap) -> None:
        self._classes = classes
        self._both = [find(dataset.task).accumulator(dataset.labels) for _ in range(2)]

    def add(self, sample: Sample, predictions: tuple[Prediction, Prediction]) -> None:
        """Add one image with both predictions."""
        for accumulator, prediction in zip(self._both, predictions, strict=True):
            accumulator.add(prediction, sample, self._classes)

    def result(self) -> MeanChange:
        """Both scores and the interval of their difference (``paired_difference``); raises what the measure of the task raises."""
        before, after = (accumulator.score(self._classes.notes) for accumulator in self._both)
        found = paired_difference(
            after.primary - before.primary,
            before.left_out,
            after.left_out,
            before.n,
            CONFIDENCE,
            share=before.metric not in IN_UNITS,
        )
        return MeanChange(before, after, None if found is None else Interval(found.low, found.high))
