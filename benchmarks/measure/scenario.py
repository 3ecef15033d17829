"""Load scenarios beside the three clocks: what they are, their options, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.statistics import early_stopping_bound
from edgecnn.types import Latency, nearest_rank

Scenario = Literal["single-stream", "multi-stream", "offline", "paced", "sustained"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
SCENARIO_MEANING: Mapping[Scenario, str] = {
    "single-stream": "one frame at a time, the next when the last is done (the clocks)",
    "multi-stream": "a query of one frame from each stream, the next when all are done; latency of the whole query",
    "offline": "all frames at once, as many in flight as pay; frames per second",
    "paced": "frames at the rate of a camera, each waits for its turn; latency from the moment it was due",
    "sustained": "one frame at a time for minutes, with temperature and frequency",
}
NO_SAMPLES = Latency(())
LEAST_WINDOWS, END_SHARE = 8, 0.1  # of a sustained run: what "at the start" and "at the end" need and mean
# The percentile by which MLPerf judges the scenario (inference_rules.adoc); Server's 99 for paced.
PERCENTILE: Mapping[Scenario, int] = {"multi-stream": 99, "paced": 99, "sustained": 99}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOptions:
    """The scenarios to run after the clocks. ``streams``: frames of a query, or cameras; None: 8 as in MLPerf, and 1 where paced.

    ``rate_fps``: frames per second of each camera; None: 30, and as fast as possible where sustained. ``minutes``: of sustained load.
    Raises ``ValueError`` for a value out of range.
    """

    scenarios: tuple[Scenario, ...] = ()
    streams: int | None = None
    rate_fps: float | None = None
    minutes: float = 10.0

    def __post_init__(self) -> None:
        unknown = [name for name in self.scenarios if name not in SCENARIOS]
        if unknown:
            raise ValueError(f"there is no scenario {unknown[0]!r}; use {', '.join(SCENARIOS)}")
        if self.streams is not None and not 1 <= self.streams <= 1024:
            raise ValueError(f"streams is {self.streams}; give 1 to 1024")
        if self.rate_fps is not None and not 0.1 <= self.rate_fps <= 10_000:
            raise ValueError(f"rate_fps is {self.rate_fps}; give 0.1 to 10000")
        if not 0 < self.minutes <= 24 * 60:
            raise ValueError(f"minutes is {self.minutes}; give more than 0, at most {24 * 60}")

    @property
    def extra(self) -> tuple[Scenario, ...]:
        """The scenarios that the clocks do not already measure, in the order of SCENARIOS."""
        return tuple(name for name in SCENARIOS if name in self.scenarios and name != "single-stream")


@dataclass(frozen=True, slots=True)
class EnergyUse:
    """Energy of a scenario. ``source``: the counter or sensor that was read; all others are None where nothing is readable.

    ``idle_watts`` is the mean power before the scenario, with the model loaded. ``problem``: why nothing is readable.
    """

    source: str = ""
    joules: float | None = None
    idle_watts: float | None = None
    seconds: float = 0.0
    inferences: int = 0
    problem: str = ""

    @property
    def per_inference_mj(self) -> float | None:
        """Millijoules above idle of one inference; None where unknown, or where the difference is not above zero."""
        if self.joules is None or self.idle_watts is None or not self.inferences:
            return None
        above = self.joules - self.idle_watts * self.seconds
        return 1e3 * above / self.inferences if above > 0 else None


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """One scenario of one file. ``latency`` is of a query where there are several streams; without samples where offline.

    ``concurrency``: threads that ran the model; ``inferences`` in ``seconds``; ``missed``: frames that were later than the ``deadline_ms``;
    ``reasons``: why the numbers may not be those of the device alone.
    """

    scenario: Scenario
    clock: Clock
    concurrency: int
    seconds: float
    inferences: int
    latency: Latency = NO_SAMPLES
    streams: int = 1
    rate_fps: float | None = None
    deadline_ms: float | None = None
    missed: int | None = None
    energy: EnergyUse = EnergyUse()
    reasons: tuple[str, ...] = ()

    @property
    def throughput_fps(self) -> float:
        """Frames per second."""
        return self.inferences / self.seconds if self.seconds else 0.0

    @property
    def bound_ms(self) -> float | None:
        """The upper bound of the judged percentile with 99 % confidence (LoadGen's early stopping); None for too few samples."""
        percent = PERCENTILE.get(self.scenario)
        return early_stopping_bound(self.latency.samples_ms, percent) if percent and self.latency.samples_ms else None

    @property
    def keeps_up(self) -> bool | None:
        """Whether the device reached at least 99 % of the rate of the cameras; None where no rate was asked for."""
        return None if self.rate_fps is None else self.throughput_fps >= 0.99 * self.rate_fps * self.streams


@dataclass(frozen=True, slots=True)
class SustainedCurve:
    """Windows of a sustained run, one value each: end in seconds, latency, throughput, and the device; None where unreadable."""

    t_s: tuple[float, ...] = ()
    latency_ms_p50: tuple[float, ...] = ()
    latency_ms_p99: tuple[float, ...] = ()
    temperature_c: tuple[float | None, ...] = ()
    frequency_mhz: tuple[int | None, ...] = ()
    throughput_fps: tuple[float, ...] = ()


def start_and_end(values: Sequence[float]) -> tuple[float, float] | None:
    """The medians of the first and the last tenth of the windows, at least two; None below eight windows."""
    if len(values) < LEAST_WINDOWS:
        return None
    count = max(round(len(values) * END_SHARE), 2)
    return nearest_rank(list(values[:count]), 50), nearest_rank(list(values[-count:]), 50)


@dataclass(frozen=True, slots=True)
class SustainedRecord:
    """A sustained run of one file. ``findings``: one line each on throttling or slowing, () for a level curve."""

    clock: Clock
    curve: SustainedCurve
    inferences: int
    seconds: float
    rate_fps: float | None = None
    missed: int | None = None
    energy: EnergyUse = EnergyUse()
    findings: tuple[str, ...] = ()
    throttled: bool = False


def clock_of(clocks: Sequence[Clock]) -> Clock:
    """The clock of the scenarios: frame to boxes where it is measured, else inference alone."""
    return "task" if "task" in clocks else "model"
