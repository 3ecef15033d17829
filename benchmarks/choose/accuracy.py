"""Measures how exact a variant is, at the first time it is asked for, on as many images as the verdict takes.

Reference and variant are compared on the same images. While the interval of the difference holds the limit, both are measured on more
images, as long as there are more and the time suffices.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final

from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate, exactness
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.inputs import Inputs
from edgecnn.benchmarks.choose.judgement import LossJudgement, VariantAccuracy
from edgecnn.benchmarks.choose.race import NOT_MEASURED, Racer
from edgecnn.benchmarks.choose.trials import Processes
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import OutOfTimeError
from edgecnn.errors import InputError
from edgecnn.metrics import Score
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.parity import TOLERANCES
from edgecnn.tasks import find
from edgecnn.types import Prediction

IMAGES: Final = (
    25,
    200,
    600,
    2000,
    6000,
    20_000,
)  # how many are measured, without --limit; the first ones tell how long the others take
FEWER: Final = (100, 50)  # where the time suffices for no more
GROWING_SHARE: Final = 0.5  # of the time that is left, for one measurement of a variant on more images


class Accuracies:
    """Gives the reason why a variant is not exact enough; ``found`` are all measured accuracies by variant.

    ``entries`` gives the candidates of the race: the reference is the fastest of the most exact precision.
    """

    def __init__(
        self, config: ChooseConfig, processes: Processes, inputs: Inputs, entries: Callable[[], Sequence[Racer]]
    ) -> None:
        self.found: dict[EngineVariant, VariantAccuracy] = {}
        self.judgement = LossJudgement(config.budget, VariantAccuracy(0))
        self.reference: EngineVariant | None = None
        self._config, self._processes, self._inputs, self._entries = config, processes, inputs, entries
        self._expected: list[Prediction] = []
        self._references: dict[int | None, VariantAccuracy] = {}  # by the limit of the images
        self._limit: int | None = None
        self._image_s: dict[EngineVariant, float] = {}

    def __call__(self, variant: EngineVariant) -> str:
        """Measure a variant, the reference before the first one. Raises ``InputError`` for data without labels that a limit needs."""
        try:
            if self.reference is None:
                self._measure_reference()
            if variant not in self.found:
                self._limit = self._affordable_limit(variant)
                self.found[variant] = self._compared(variant)
            self._measure_more(variant)
        except OutOfTimeError:
            pass
        if variant in self.found:
            return self.judgement.reason(self.found[variant])
        # the most exact candidate loses nothing against itself
        return "" if variant == self.reference and self._config.budget.min_accuracy is None else NOT_MEASURED

    def _measure_reference(self) -> None:
        timed = [entry for entry in self._entries() if entry.rounds]
        entry = min(timed, key=lambda one: (self._exactness(one.candidate.variant), one.estimate_ms))
        variant = entry.candidate.variant
        card, budget = self._processes.cards[variant], self._config.budget
        task = find(card.task)
        if budget.metric and budget.metric != task.metric:
            raise InputError(
                f"--min-{budget.metric} is no limit for {task.model}, which is measured by {TITLES[task.metric]}",
                "use --min-accuracy",
            )
        if budget.needs_accuracy and not self._inputs.labelled:
            raise InputError("a limit of the accuracy needs labelled data", "add --data with labels, or leave the limit out")
        self.reference = variant
        self._limit = None if self._config.data is None or self._config.data.limit is not None else IMAGES[0]
        found = self.found[variant] = self._compared(variant)
        if budget.min_accuracy is not None and budget.min_accuracy > 1 and task.metric not in IN_UNITS:
            raise InputError(f"a limit of {budget.min_accuracy:g} is above 100 %", "give a fraction such as 0.55, or 55%")
        self.judgement = LossJudgement(budget, found, max(task.allowed_drop, self.judgement.allowed_drop))

    def _affordable_limit(self, variant: EngineVariant) -> int | None:
        """The most images that the reference was measured on and that the time allows for a variant, by its latency."""
        known = sorted(limit for limit in self._references if limit is not None)
        timed = [entry.estimate_ms for entry in self._entries() if entry.candidate.variant == variant and entry.rounds]
        if not known or not timed:
            return self._limit
        image_s, left = min(timed) / 1e3, GROWING_SHARE * self._processes.seconds_left
        return max((limit for limit in known if min(limit, self._inputs.available) * image_s <= left), default=known[0])

    def _measure_more(self, variant: EngineVariant) -> None:
        """Measure reference and variant on more images while the verdict is open; a variant as exact as the reference needs no proof."""
        budget = self._config.budget
        while self.judgement.is_open(self.found[variant]) and not (
            self.found[variant].equally_exact and budget.min_accuracy is None
        ):
            limit = self._next_limit(variant)
            if limit is None:
                return
            self._limit = limit
            self.found[variant] = self._compared(variant)

    def _next_limit(self, variant: EngineVariant) -> int | None:
        """The next number of images; None where there are no more, or the time does not suffice."""
        available = self._inputs.available
        if self._limit is None or self._limit >= available:
            return None
        known = self._limit
        larger = [next((count for count in IMAGES if count > known), 0), *FEWER]
        return next((count for count in larger if count > known and self._suffices(variant, min(count, available))), None)

    def _suffices(self, variant: EngineVariant, count: int) -> bool:
        """Whether the time suffices to measure reference and variant on so many images, as long as one takes them now."""
        spent = sum(self._image_s.get(one, 0.0) for one in {variant, self.reference} if one is not None)
        return count * spent <= GROWING_SHARE * self._processes.seconds_left

    def _exactness(self, variant: EngineVariant) -> int:
        return exactness(self._processes.precisions[variant], variant.computes_in)

    def _compared(self, variant: EngineVariant) -> VariantAccuracy:
        """The accuracy of a variant on the current number of images, compared with that of the reference on the same ones."""
        assert self.reference is not None
        if variant == self.reference:
            if self._limit not in self._references:
                self._references[self._limit] = dataclasses.replace(self._measure(variant), equally_exact=True)
            return self._references[self._limit]
        reference = self.found[self.reference] = self._compared(self.reference)
        self.judgement = dataclasses.replace(self.judgement, reference=reference)
        found = self._measure(variant)
        equal = self._exactness(variant) == self._exactness(self.reference)
        return dataclasses.replace(found, equally_exact=equal).compared_with(reference)

    def _measure(self, variant: EngineVariant) -> VariantAccuracy:
        data = self._config.data
        threads = self._config.thread_counts[0]
        process, is_new = self._processes.get(RunCandidate(variant, threads))
        if is_new:
            self._inputs.give(process)
        if data is not None and self._inputs.labelled:
            chosen, before = spread(data, self._limit, self._inputs.available), self._processes.seconds
            score: Score | None = process.ask("accuracy", data=chosen, options=self._config.options)
            if score is not None:
                self._image_s[variant] = (self._processes.seconds - before) / max(score.n, 1)
                return VariantAccuracy(score.n, score.metric, score.primary, left_out=score.left_out)
        predictions: list[Prediction] = process.ask("predictions")
        if variant == self.reference:
            self._expected = predictions
        task = find(self._processes.cards[variant].task)
        pairs = [task.compare(a, b, TOLERANCES["int8"]) for a, b in zip(self._expected, predictions, strict=True)]
        same, total = sum(one.same for one in pairs), sum(one.total for one in pairs)
        return VariantAccuracy(len(pairs), agreement=same / total if total else None)


def spread(data: DatasetSelection, limit: int | None, available: int) -> DatasetSelection:
    """At most ``limit`` of the ``available`` images, from the whole dataset: the first ones may be all of one class.

    A limit of the user is kept as it is.
    """
    if data.limit is not None or limit is None:
        return data
    return dataclasses.replace(data, limit=limit, every=data.every * max(math.ceil(available / limit), 1))
