"""Fits the int8 file of one format into a budget: free methods first, then the most sensitive layers stay in float."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgecnn.errors import InputError, first_line
from edgecnn.export.budget.methods import BIASES, Candidates, Method
from edgecnn.export.budget.search import Keep, fewest
from edgecnn.export.budget.sensitivity import Sensitivities, measure
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.budget.trial import Judge, TrialResult
from edgecnn.export.quantize.plan import QuantizationPlan

SENSITIVITY_IMAGES = 16
NONE: Keep = frozenset()
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate: how it was made, which layers stayed in float, and what it loses."""

    method: Method
    keep: Keep
    outcome: TrialResult

    @property
    def rank(self) -> tuple[bool, float, float, int]:
        """Better attempts first: verified, small drop, high signal to noise, few layers in float."""
        drop = 0.0 if self.outcome.drop is None else self.outcome.drop
        return bool(self.outcome.violations), drop, -self.outcome.decibels, len(self.keep)


@dataclass(slots=True, eq=False)
class BudgetSearch:
    """The search for one file; ``attempts`` are all candidates so far. ``shared`` holds sensitivities that other formats measured."""

    candidates: Candidates
    judge: Judge
    budget: float
    say: Say
    attempts: list[Attempt] = field(default_factory=list)
    sensitivities: Sensitivities | None = None
    shared: SharedSensitivities | None = None

    def run(self) -> Attempt:
        """The attempt to keep: the first free method within the budget, else the one with the fewest layers in float; if none is within
        the budget, the best."""
        free = self._free_methods()
        if free.outcome.within(self.budget):
            return free
        found = self._leave_in_float()
        if found is not None:
            return found
        return min(self.attempts, key=lambda attempt: attempt.rank)

    def program(self, attempt: Attempt) -> Any:
        """The program of an attempt."""
        return self.candidates.program(attempt.method, self.plan(attempt.keep))

    def _free_methods(self) -> Attempt:
        """The first method within the budget, else the best of all; changes of the network are tried with the best range method."""
        best: Attempt | None = None
        for ranges in self.candidates.ranges:
            best = self._better(best, Method(ranges))
            if best.outcome.within(self.budget):
                return best
        assert best is not None
        for change in self.candidates.changes:
            best = self._better(best, Method(best.method.ranges, (*best.method.changes, change)))
            if best.outcome.within(self.budget):
                return best
        return best

    def _better(self, best: Attempt | None, method: Method) -> Attempt:
        attempt = self.attempt(method, NONE)
        if attempt is None:
            assert best is not None
            return best
        return attempt if best is None else min(best, attempt, key=lambda one: one.rank)

    def _leave_in_float(self) -> Attempt | None:
        # corrected biases make up for rounded weights, and would be wrong in a layer that stays in float
        method = min((one for one in self.attempts if BIASES not in one.method.changes), key=lambda one: one.rank).method
        try:
            found = self.measured()
        except InputError as error:  # the ONNX graph, in which sensitivity is measured, can't be made
            self.say(f"{self.judge.format}: no layer can be left in float: {error.problem}")
            return None

        def passes(keep: Keep) -> bool:
            attempt = self.attempt(method, keep)
            return attempt is not None and attempt.outcome.within(self.budget)

        keep = fewest(passes, found.order(self.candidates.first_layer_bits), len(found.layers) // 2)
        return next((one for one in self.attempts if one.keep == keep and one.method == method), None)

    def measured(self) -> Sensitivities:
        """The sensitivity of each layer, measured at the first call."""
        if self.sensitivities is None:
            self.sensitivities = self._measure() if self.shared is None else self.shared.get(self._measure)
        return self.sensitivities

    def _measure(self) -> Sensitivities:
        self.say(f"{self.judge.format}: measuring the sensitivity of each layer")
        return measure(self.candidates.prepared.program("onnx"), self.candidates.feeds[:SENSITIVITY_IMAGES])

    def plan(self, keep: Keep) -> QuantizationPlan:
        """The plan that leaves the layers ``keep`` in float."""
        return QuantizationPlan(keep=keep, layers=self.sensitivities.layers if self.sensitivities else ())

    def attempt(self, method: Method, keep: Keep) -> Attempt | None:
        """The measured candidate; None where ``method`` has nothing to change in this network. Repeated calls measure once."""
        known = next((one for one in self.attempts if (one.method, one.keep) == (method, keep)), None)
        if known is not None:
            return known
        try:
            program = self.candidates.program(method, self.plan(keep))
            if program is None:
                return None
            outcome = self.judge(program)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:  # a quantizer or an engine that refuses one candidate may take another
            outcome = self.judge.failed(f"{type(error).__name__}: {first_line(error)}")
        attempt = Attempt(method, keep, outcome)
        self.attempts.append(attempt)
        self.say(_line(self.judge.format, attempt))
        return attempt


def _line(format: str, attempt: Attempt) -> str:
    found = attempt.outcome
    left = f", {len(attempt.keep)} layers in float" if attempt.keep else ""
    verdict = f"; {found.violations[0]}" if found.violations else ""
    lost = f"{found.points} points of {found.measure} lost, " if found.drop is not None else ""
    lost += f"outputs {found.decibels:.1f} dB"
    return f"{format} int8, {attempt.method}{left}: {lost}{verdict}"
