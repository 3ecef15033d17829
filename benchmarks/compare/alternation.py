"""Two model files measured in alternation on this machine: pairs of fresh processes, rounds in the order A B B A.

The unit of the statistics is a pair of processes, not a round: each start of a process places its memory anew, which shifts all of
its samples by up to some percent, and rounds of one pair share that shift. Within a pair, neighbouring rounds share the state of
the machine, and the order A B B A cancels a steady drift (Kalibera and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013).

Beside the latency, the processor time of the same calls is compared: where other programs take the processor away in most calls, a
latency says little, and the processor time still shows whether a file computes more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from edgecnn.benchmarks.compare.interval import CONFIDENCE, RatioInterval
from edgecnn.benchmarks.compare.signed_rank import signed_rank_interval
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.verdict import disturbance_reasons
from edgecnn.devices.counters import between, read_counters
from edgecnn.types import nearest_rank

Opener = Callable[[], ModelProcess]
Values = Mapping[str, float]
"""Medians of one process by quantity: clocks, their processor times and ``cold_start`` in milliseconds, ``memory`` in MiB."""


def processor(clock: Clock) -> str:
    """The name of the processor time of a clock."""
    return f"{clock}_processor"


@dataclass(frozen=True, slots=True)
class PairPlan:
    """How long to measure: after each number of pairs in ``looks`` the result is judged, and measuring ends once it is certain.

    Certain is a latency that shows a difference, or has an interval within ``precise`` of its middle (a share); and where the
    interval of the latency stays beyond ``hopeless``, a processor time that does one of these. The error that the
    confidence allows is shared among the looks, so that looking several times does not raise it (Bonferroni). ``rounds`` are those
    of each file in each pair, an even number.
    """

    looks: tuple[int, ...] = (10, 16, 24)
    rounds: int = 6
    runs_per_round: int = 10
    round_s: float = 0.1
    warm_up_s: float = 0.3
    precise: float = 0.01
    hopeless: float = 0.05
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if self.rounds < 2 or self.rounds % 2:
            raise ValueError(f"rounds is {self.rounds}; give an even number, at least 2")
        if not self.looks or list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks are {self.looks}; give rising numbers of pairs")

    @property
    def look_confidence(self) -> float:
        """The confidence of the interval at one look."""
        return 1 - (1 - self.confidence) / len(self.looks)

    @property
    def protocol(self) -> Protocol:
        """As a protocol of a measuring process."""
        return Protocol(
            "alternation",
            runs=self.rounds * self.runs_per_round,
            duration_s=self.rounds * self.round_s,
            rounds=self.rounds,
            cold_starts=1,
            throughput_s=0,
            warm_up_s=self.warm_up_s,
            warm_up_limit_s=5.0,
        )


@dataclass(slots=True)
class Alternation:
    """Values of both files for each pair of processes, by quantity, with reasons for NOISY."""

    before: list[Values] = field(default_factory=list)
    after: list[Values] = field(default_factory=list)
    ratios: list[Values] = field(default_factory=list)
    noise: tuple[str, ...] = ()

    def medians(self, name: str) -> tuple[float, float]:
        """The medians of a quantity over all pairs, before and after."""
        first, second = (nearest_rank([values[name] for values in side], 50) for side in (self.before, self.after))
        return first, second

    def interval(self, name: str, confidence: float) -> RatioInterval | None:
        """The ratio after/before of a quantity over all pairs; None where they are too few."""
        found = signed_rank_interval([math.log(values[name]) for values in self.ratios], confidence)
        return None if found is None else RatioInterval.of_logs(*found)


def measure_alternation(
    before: Opener,
    after: Opener,
    folder: str,
    clocks: Sequence[Clock],
    plan: PairPlan,
    progress: Progress = no_progress,
) -> Alternation:
    """Measure two files until the plan's certainty or limit is reached; ``folder`` holds the inputs.

    Raises what ``ModelProcess`` raises.
    """
    found = Alternation()
    start = read_counters()
    for number in range(plan.looks[-1]):
        progress(f"pair {number + 1} of {plan.looks[0]} to {plan.looks[-1]}{_so_far(found, clocks, plan)}")
        _measure_pair(found, (before, after), number, folder, clocks, plan)
        if number + 1 in plan.looks and certain(found, clocks, plan):
            break
    reasons = disturbance_reasons(between(start, read_counters()))
    found.noise = tuple(reason for reason, holds in reasons.items() if holds)
    return found


def certain(found: Alternation, clocks: Sequence[Clock], plan: PairPlan) -> bool:
    """Whether measuring on would add little: see ``PairPlan``."""
    return all(_clock_certain(found, clock, plan) for clock in clocks)


def _clock_certain(found: Alternation, clock: Clock, plan: PairPlan) -> bool:
    latency, spent = (found.interval(name, plan.look_confidence) for name in (clock, processor(clock)))
    if latency is None or spent is None:
        return False
    hopeless = latency.reach > 1 + plan.hopeless
    return _decided(latency, plan) or (hopeless and _decided(spent, plan))


def _decided(change: RatioInterval, plan: PairPlan) -> bool:
    return change.shown or change.reach < 1 + plan.precise


def _so_far(found: Alternation, clocks: Sequence[Clock], plan: PairPlan) -> str:
    if not found.ratios:
        return ""
    middle = nearest_rank([values[clocks[0]] for values in found.ratios], 50)
    return f", {clocks[0]} clock {middle:.3f} so far"


def _measure_pair(
    found: Alternation, openers: tuple[Opener, Opener], number: int, folder: str, clocks: Sequence[Clock], plan: PairPlan
) -> None:
    """One pair of fresh processes; the one that starts and measures first alternates from pair to pair."""
    first = number % 2
    with ExitStack() as stack:
        sides: dict[int, ModelProcess] = {}
        for side in (first, 1 - first):
            sides[side] = stack.enter_context(openers[side]())
        for process in sides.values():
            process.ask("use", folder=folder)
        medians = [_load_values(sides[side]) for side in (0, 1)]
        ratios = {name: medians[1][name] / medians[0][name] for name in medians[0]}
        for clock in clocks:
            for name, rounds in _rounds(sides, clock, first, plan).items():
                for side in (0, 1):
                    medians[side][name] = nearest_rank(rounds[side], 50)
                ratios[name] = math.exp(float(np.median(np.log(rounds[1]) - np.log(rounds[0]))))
    found.before.append(medians[0])
    found.after.append(medians[1])
    found.ratios.append(ratios)


def _rounds(
    sides: Mapping[int, ModelProcess], clock: Clock, first: int, plan: PairPlan
) -> dict[str, tuple[list[float], list[float]]]:
    """The medians of the rounds of both files in milliseconds, in the order A B B A, of the clock and of its processor time."""
    for process in sides.values():
        process.ask("warm_up", clock=clock, protocol=plan.protocol)
    medians: dict[str, tuple[list[float], list[float]]] = {clock: ([], []), processor(clock): ([], [])}
    for turn in range(plan.rounds):
        start = first if turn % 2 == 0 else 1 - first
        for side in (start, 1 - start):
            times = sides[side].ask("measure_with_processor", clock=clock, protocol=plan.protocol)
            for name, samples in zip(medians, times, strict=True):
                # a clock that counts in steps may show none: a tiny time instead of zero, which has no logarithm
                medians[name][side].append(max(nearest_rank(samples, 50), 1e-6))
    return medians


def _load_values(process: ModelProcess) -> dict[str, float]:
    report = process.load_report
    return {"cold_start": sum(report.cold_start.values()), "memory": report.peak_memory_mib}
