"""How long is measured: warm-up, rounds, samples. Two protocols, full and quick; nothing in between is hidden in options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Clock = Literal["model", "task", "age"]
CLOCKS: tuple[Clock, ...] = get_args(Clock)

CLOCK_MEANING = {
    "model": "Backend.run only, on inputs prepared before",
    "task": "decoded frame to final boxes or classes: preprocessing, run, decoding, NMS",
    "age": "capture to result in the live pipeline, newest frame wins",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """When a warm-up ends and how much is measured after it.

    Warm-up lasts until ``warm_runs`` runs and ``warm_s`` seconds have passed and the median of the last ``warm_runs`` runs lies
    within ``settled`` of the median of the ``warm_runs`` before them, but no longer than ``warm_limit_s`` seconds.
    Then at least ``runs`` runs and ``seconds`` seconds are measured, in ``rounds`` rounds in which the files take turns, so that a
    busy moment of the machine hits all of them. 662 is the least number for which MLPerf's early-stopping rule gives a p99 with
    99 % confidence, 64 the least for a p90.
    """

    name: str
    runs: int
    seconds: float
    rounds: int
    cold_starts: int
    throughput_s: float
    warm_runs: int = 10
    warm_s: float = 1.0
    warm_limit_s: float = 30.0
    settled: float = 0.05
    inputs: int = 64
    fps: float = 30.0

    @property
    def runs_per_round(self) -> int:
        """Runs of one file in one round at least, rounded up."""
        return -(-self.runs // self.rounds)

    @property
    def seconds_per_round(self) -> float:
        """Seconds of one file in one round at least."""
        return self.seconds / self.rounds


FULL = Protocol("full", runs=662, seconds=10.0, rounds=20, cold_starts=5, throughput_s=5.0)
QUICK = Protocol("quick", runs=64, seconds=0.0, rounds=4, cold_starts=1, throughput_s=1.0, warm_limit_s=5.0)
