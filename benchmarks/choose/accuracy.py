"""Measures how exact a variant is, at the first time it is asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate, exactness
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.inputs import Inputs
from edgecnn.benchmarks.choose.judgement import LossJudgement, VariantAccuracy
from edgecnn.benchmarks.choose.race import Racer
from edgecnn.benchmarks.choose.trials import Processes
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.errors import InputError
from edgecnn.metrics import Score
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.parity import TOLERANCES
from edgecnn.tasks import find
from edgecnn.types import Prediction

IMAGES: Final = (5000, 2000, 1000, 500, 200, 100)  # without --limit: the most that take the reference no more than READING_S
READING_S: Final = 12.0


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
        self._limit: int | None = None

    def __call__(self, variant: EngineVariant) -> str:
        """Measure a variant, the reference before the first one. Raises ``InputError`` for data without labels that a limit needs."""
        if self.reference is None:
            self._measure_reference()
        if variant not in self.found:
            self.found[variant] = self._measure(variant)
        return self.judgement.reason(self.found[variant])

    def _measure_reference(self) -> None:
        timed = [entry for entry in self._entries() if entry.rounds]
        entry = min(timed, key=lambda one: (self._exactness(one.candidate.variant), one.estimate_ms))
        self.reference = variant = entry.candidate.variant
        card, budget = self._processes.cards[variant], self._config.budget
        task = find(card.task)
        if budget.metric and budget.metric != task.metric:
            raise InputError(
                f"--min-{budget.metric} is no limit for {task.model}, which is measured by {TITLES[task.metric]}",
                "use --min-accuracy",
            )
        if budget.needs_accuracy and not self._inputs.labelled:
            raise InputError("a limit of the accuracy needs labelled data", "add --data with labels, or leave the limit out")
        found = self.found[variant] = self._measure_first(variant)
        if budget.min_accuracy is not None and budget.min_accuracy > 1 and task.metric not in IN_UNITS:
            raise InputError(f"a limit of {budget.min_accuracy:g} is above 100 %", "give a fraction such as 0.55, or 55%")
        self.judgement = LossJudgement(budget, found, max(task.allowed_drop, self.judgement.allowed_drop))

    def _measure_first(self, variant: EngineVariant) -> VariantAccuracy:
        """Measure a few images, then as many as the time allows, which become the limit of all variants."""
        self._limit, started = IMAGES[-1], monotonic()
        found = self._measure(variant)
        image_s = (monotonic() - started) / max(found.images, 1)
        if found.images < IMAGES[-1] or self._config.data is None or self._config.data.limit is not None:
            return found
        self._limit = next((count for count in IMAGES if count * image_s <= READING_S), IMAGES[-1])
        return found if self._limit == IMAGES[-1] else self._measure(variant)

    def _exactness(self, variant: EngineVariant) -> int:
        return exactness(self._processes.precisions[variant], variant.computes_in)

    def _measure(self, variant: EngineVariant) -> VariantAccuracy:
        data = self._config.data
        threads = self._config.thread_counts[0]
        process, is_new = self._processes.get(RunCandidate(variant, threads))
        if is_new:
            self._inputs.give(process)
        if data is not None and self._inputs.labelled:
            score: Score | None = process.ask(
                "accuracy", data=spread(data, self._limit, self._inputs.available), options=self._config.options
            )
            if score is not None:
                return VariantAccuracy(score.n, score.metric, score.primary)
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
