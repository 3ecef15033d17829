"""Measurement protocols: length of warm-up, rounds and samples. There are two, full and quick."""

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
    """The end of the warm-up and the amount of measurement after it.

    Warm-up lasts until ``warm_up_runs`` runs and ``warm_up_s`` seconds have passed and the median of the last ``warm_up_runs`` runs lies
    within ``settled_within`` (a share) of the median of the ``warm_up_runs`` before them, but no longer than ``warm_up_limit_s`` seconds.
    Then at least ``runs`` runs and ``duration_s`` seconds are measured, in ``rounds`` interleaved rounds, so that
    a disturbance affects all files equally. 662 is the smallest number for which MLPerf's early-stopping rule gives a p99 with
    99 % confidence, 64 the smallest for a p90 (``early_stopping_bound``). The age clock's simulated camera runs at ``camera_fps``.
    """

    name: str
    runs: int
    duration_s: float
    rounds: int
    cold_starts: int
    throughput_s: float
    warm_up_runs: int = 10
    warm_up_s: float = 1.0
    warm_up_limit_s: float = 30.0
    settled_within: float = 0.05
    input_count: int = 64
    camera_fps: float = 30.0

    @property
    def runs_per_round(self) -> int:
        """Runs of one file in one round at least, rounded up."""
        return -(-self.runs // self.rounds)

    @property
    def seconds_per_round(self) -> float:
        """Seconds of one file in one round at least."""
        return self.duration_s / self.rounds


FULL = Protocol("full", runs=662, duration_s=10.0, rounds=20, cold_starts=5, throughput_s=5.0)
QUICK = Protocol("quick", runs=64, duration_s=0.0, rounds=4, cold_starts=1, throughput_s=1.0, warm_up_limit_s=5.0)
