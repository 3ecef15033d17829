"""Minutes of load on one file: the curve of latency, temperature and frequency, and whether the device throttled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.load import LoadSamples
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.scenario import EnergyUse, SustainedCurve, SustainedRecord, start_and_end
from edgecnn.benchmarks.measure.verdict import MAX_OTHER_LOAD, MAX_STEAL
from edgecnn.devices.counters import Disturbance, between, read_counters
from edgecnn.devices.energy import EnergyMeter
from edgecnn.devices.energy_source import EnergySource
from edgecnn.devices.environment import frequencies, temperature
from edgecnn.types import nearest_rank

WINDOWS = 120  # at most
WINDOW_S = 1.0  # at least, unless the whole run is shorter than eight windows
MIN_CHANGE = 0.05  # of latency and frequency


@dataclass(slots=True)
class _Windows:
    """The curve while it grows, and the totals."""

    rows: list[tuple[float, float, float, float | None, int | None, float]] = field(default_factory=list)
    inferences: int = 0
    missed: int = 0

    def add(self, t_s: float, done: LoadSamples, celsius: float | None, mhz: int | None, deadline_ms: float | None) -> None:
        p50, p99 = nearest_rank(done.samples_ms, 50), nearest_rank(done.samples_ms, 99)
        self.rows.append((t_s, p50, p99, celsius, mhz, done.inferences / done.seconds if done.seconds else 0.0))
        self.inferences += done.inferences
        self.missed += sum(value > deadline_ms for value in done.samples_ms) if deadline_ms is not None else 0

    def curve(self) -> SustainedCurve:
        return SustainedCurve(*map(tuple, zip(*self.rows, strict=True))) if self.rows else SustainedCurve()


def sustained_run(
    config: BenchmarkConfig,
    process: ModelProcess,
    clock: Clock,
    idle_watts: float | None,
    source: EnergySource,
    progress: Progress,
    *,
    now: Callable[[], float] = perf_counter,
    root: Path = Path("/"),
) -> SustainedRecord:
    """Load ``process`` for the minutes of ``config``: one frame after the other, or at the rate of a camera.

    Latencies are kept as percentiles of windows: half an hour of single samples would be millions of numbers.
    """
    total_s, rate = config.scenarios.minutes * 60, config.scenarios.rate_fps
    window_s = max(min(WINDOW_S, total_s / 8), total_s / WINDOWS)
    windows, started = _Windows(), now()
    before = read_counters([process.pid], root)
    with EnergyMeter(source) as meter:
        while (spent := now() - started) < total_s:
            left = total_s - spent
            progress(
                f"sustained: {process.path.name}, {left / 60:.0f} min left" if left >= 90 else f"sustained: {left:.0f} s left"
            )
            done = _window(process, clock, rate, min(window_s, left))
            mhz = frequencies(root)
            windows.add(now() - started, done, temperature(root), mhz[1] if mhz else None, 1e3 / rate if rate else None)
    seconds, disturbance = now() - started, between(before, read_counters([process.pid], root))
    curve = windows.curve()
    findings, throttled = judge_curve(curve, disturbance)
    energy = EnergyUse(source.name, meter.joules, idle_watts, seconds, windows.inferences, source.problem)
    missed = windows.missed if rate else None
    return SustainedRecord(clock, curve, windows.inferences, seconds, rate, missed, energy, findings, throttled)


def _window(process: ModelProcess, clock: Clock, rate: float | None, seconds: float) -> LoadSamples:
    if rate is None:
        done: LoadSamples = process.ask("closed_loop", clock=clock, seconds=seconds)
    else:
        done = process.ask("paced", clock=clock, interval_s=1 / rate, frames=max(round(seconds * rate), 1))
    return done


def judge_curve(curve: SustainedCurve, disturbance: Disturbance) -> tuple[tuple[str, ...], bool]:
    """What the curve shows, one line each, and whether it shows throttling.

    Throttling is named where the latency rose and the frequency fell from the first to the last tenth of the windows, and where the
    kernel or the board counted it. A slower end without them is said as such, with other load as a possible cause.
    """
    latency = _change(curve.latency_ms_p50)
    frequency = _change([value for value in curve.frequency_mhz if value is not None])
    slower = latency is not None and latency[1] > MIN_CHANGE
    lower = frequency is not None and frequency[1] < -MIN_CHANGE
    counted = _counted(disturbance)
    findings = [f"throttled: {reason}" for reason in counted]
    if slower and latency is not None:
        findings.insert(0, _slower(curve, latency, frequency if lower else None, disturbance, named=bool(counted)))
    elif latency is not None and latency[1] < -MIN_CHANGE:
        findings.append(f"p50 fell by {-latency[1]:.0%} from {latency[0]:.3g} ms: the start was slower, not the end")
    return tuple(findings), bool(counted) or (slower and lower)


def _counted(disturbance: Disturbance) -> list[str]:
    heat, quota = disturbance.thermal_throttle_events, disturbance.quota_throttle_events
    reasons = [f"{heat} times by heat"] if heat else []
    reasons += [f"{quota} times by the container's quota"] if quota else []
    return reasons + ([f"the board reports {', '.join(disturbance.flags)}"] if disturbance.flags else [])


def _slower(
    curve: SustainedCurve,
    latency: tuple[float, float],
    frequency: tuple[float, float] | None,
    disturbance: Disturbance,
    *,
    named: bool,
) -> str:
    text = f"p50 rose by {latency[1]:.0%} from {latency[0]:.3g} ms"
    if frequency is not None:
        temperatures = [value for value in curve.temperature_c if value is not None]
        heat = f", at up to {max(temperatures):.0f} °C" if temperatures else ""
        return f"throttled: {text} while the frequency fell by {-frequency[1]:.0%} from {frequency[0]:.0f} MHz{heat}"
    if disturbance.other_load_share > MAX_OTHER_LOAD or disturbance.steal_share > MAX_STEAL:
        return f"{text}; other programs or the host used the processors, which may be the cause"
    if named:
        return text
    why = "the frequency did not fall" if any(value is not None for value in curve.frequency_mhz) else "no frequency is readable"
    return f"{text}; {why}, the cause is not known"


def _change(values: tuple[float, ...] | list[int]) -> tuple[float, float] | None:
    """The median of the first tenth, and the change to that of the last tenth; None below eight windows."""
    ends = start_and_end(values)
    return (ends[0], ends[1] / ends[0] - 1) if ends is not None and ends[0] else None
