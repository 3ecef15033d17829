"""A made-up world for the race: candidates with known times, a clock of its own, noise from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.measure.process import OutOfTimeError
from edgecnn.errors import BackendError


def variant(name: str, engine: str = "onnxruntime") -> EngineVariant:
    return EngineVariant(Path(f"/models/{name}"), engine)


@dataclass
class MadeUpTrials:
    """``times``: milliseconds by variant, or by variant and number of threads. ``inexact``: variants that are refused.

    ``noise``: deviation of the logarithm of each run. ``busy``: factor on all candidates, by time, as other work on the machine.
    ``limit``: seconds after which nothing is measured any more. ``broken``: variants that don't load.
    ``dies_after``: runs after which a variant fails.
    """

    times: Mapping[EngineVariant, float | Mapping[int, float]]
    inexact: Mapping[EngineVariant, str] = field(default_factory=dict)
    noise: float = 0.02
    busy: float = 1.0
    broken: tuple[EngineVariant, ...] = ()
    dies_after: Mapping[EngineVariant, int] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    limit: float = float("inf")

    def __post_init__(self) -> None:
        self.judged: list[EngineVariant] = []
        self.runs: dict[RunCandidate, int] = {}
        self._random = np.random.default_rng(self.seed)

    def load(self, candidate: RunCandidate) -> None:
        self._check_time()
        self.seconds += 0.5
        if candidate.variant in self.broken:
            raise BackendError("it can't be loaded", "export it again")

    def time(self, candidate: RunCandidate, seconds: float) -> list[float]:
        self._check_time()
        true = self.times[candidate.variant]
        true_ms = true[candidate.threads] if isinstance(true, Mapping) else true
        slow = self.busy if int(self.seconds / 3) % 3 == 1 else 1.0  # three seconds of nine the machine is busy
        count = max(3, int(1e3 * seconds / (true_ms * slow)))
        samples = [float(one) for one in true_ms * slow * np.exp(self._random.normal(0, self.noise, count))]
        self.seconds += sum(samples) / 1e3 + 0.05
        self.runs[candidate] = self.runs.get(candidate, 0) + count
        if self.runs[candidate] > self.dies_after.get(candidate.variant, 1 << 30):
            raise BackendError("it died", "check it")
        return samples

    def judge(self, one: EngineVariant) -> str:
        self.seconds += 5
        self.judged.append(one)
        return self.inexact.get(one, "")

    def now(self) -> float:
        return self.seconds

    def over(self) -> bool:
        return self.seconds >= self.limit

    def _check_time(self) -> None:
        if self.over():
            raise OutOfTimeError("late", "allow more")
