"""The sustained run: its windows, and which curves are called throttled."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.load import LoadSamples
from edgecnn.benchmarks.measure.progress import no_progress
from edgecnn.benchmarks.measure.scenario import ScenarioOptions, SustainedCurve, SustainedRecord
from edgecnn.benchmarks.measure.sustained import judge_curve, sustained_run
from edgecnn.devices.counters import Disturbance
from edgecnn.devices.energy_source import EnergySource

CLOCK = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
HEAT = "sys/class/thermal/thermal_zone0/temp"


def curve(p50: list[float], mhz: list[int] | None = None, celsius: float | None = None) -> SustainedCurve:
    count = len(p50)
    return SustainedCurve(
        t_s=tuple(map(float, range(count))),
        latency_ms_p50=tuple(p50),
        latency_ms_p99=tuple(p50),
        temperature_c=(celsius,) * count,
        frequency_mhz=tuple(mhz) if mhz else (None,) * count,
        throughput_fps=(1.0,) * count,
    )


RISING = [10.0] * 5 + [11.0] * 5 + [13.0] * 10


def test_a_level_curve_is_not_commented() -> None:
    assert judge_curve(curve([10.0, 10.2] * 10, [1500, 1490] * 10), Disturbance()) == ((), False)


def test_slower_with_a_lower_frequency_is_throttled() -> None:
    findings, throttled = judge_curve(curve(RISING, [2400] * 10 + [1800] * 10, 84.6), Disturbance())
    assert throttled
    assert findings == ("throttled: p50 rose by 30% from 10 ms while the frequency fell by 25% from 2400 MHz, at up to 85 °C",)


def test_a_lower_frequency_alone_is_not() -> None:
    assert judge_curve(curve([10.0] * 20, [2400] * 10 + [1800] * 10), Disturbance()) == ((), False)


def test_slower_without_a_cause_is_said_so() -> None:
    findings, throttled = judge_curve(curve(RISING), Disturbance())
    assert not throttled
    assert findings == ("p50 rose by 30% from 10 ms; no frequency is readable, the cause is not known",)
    assert "the frequency did not fall" in judge_curve(curve(RISING, [2400] * 20), Disturbance())[0][0]


def test_other_programs_are_named_as_a_possible_cause() -> None:
    findings, throttled = judge_curve(curve(RISING, [2400] * 20), Disturbance(other_load_share=0.4))
    assert not throttled
    assert "other programs or the host used the processors" in findings[0]


def test_throttling_that_the_kernel_or_the_board_counted_is_named() -> None:
    found = judge_curve(curve([10.0] * 20), Disturbance(thermal_throttle_events=3, flags=("under-voltage",)))
    assert found == (("throttled: 3 times by heat", "throttled: the board reports under-voltage"), True)


def test_a_faster_end_is_told_from_throttling() -> None:
    findings, throttled = judge_curve(curve(RISING[::-1]), Disturbance())
    assert not throttled
    assert "the start was slower" in findings[0]


def test_few_windows_show_nothing() -> None:
    assert judge_curve(curve([10.0, 20.0, 30.0]), Disturbance()) == ((), False)


class Device:
    """A measuring process on a clock of its own, whose model gets slower and whose processor gets hot and slow."""

    pid = 1
    path = Path("net.onnx")

    def __init__(self, root: Path) -> None:
        self.at, self.root, self.asked = 0.0, root, list[dict[str, Any]]()
        for name in (CLOCK, HEAT):
            (root / name).parent.mkdir(parents=True)

    def now(self) -> float:
        return self.at

    def ask(self, name: str, **arguments: Any) -> LoadSamples:
        seconds = arguments.get("seconds") or arguments["frames"] * arguments["interval_s"]
        self.asked.append({"name": name, **arguments})
        self.at += seconds
        hot = self.at > 30
        (self.root / CLOCK).write_text("1200000" if hot else "2400000")
        (self.root / HEAT).write_text("80000" if hot else "50000")
        latency = 20.0 if hot else 10.0
        return LoadSamples([latency] * 10, 10, seconds)


def run(device: Device, **options: Any) -> SustainedRecord:
    config = BenchmarkConfig(files=(Path("net.onnx"),), scenarios=ScenarioOptions(scenarios=("sustained",), **options))
    process: Any = device
    return sustained_run(config, process, "task", None, EnergySource(), no_progress, now=device.now, root=device.root)


def test_the_curve_has_a_value_of_each_kind_for_each_window(tmp_path: Path) -> None:
    record = run(Device(tmp_path), minutes=1.0)
    found = record.curve
    assert len(found.t_s) == 60
    assert {len(values) for values in (found.latency_ms_p50, found.latency_ms_p99, found.temperature_c, found.frequency_mhz)} == {
        60
    }
    assert (found.latency_ms_p50[0], found.temperature_c[0], found.frequency_mhz[0]) == (10.0, 50.0, 2400)
    assert (found.latency_ms_p50[-1], found.temperature_c[-1], found.frequency_mhz[-1]) == (20.0, 80.0, 1200)
    assert record.throttled
    assert record.inferences == 600


def test_half_an_hour_has_few_windows(tmp_path: Path) -> None:
    assert len(run(Device(tmp_path), minutes=30.0).curve.t_s) == 120


def test_at_a_camera_s_rate_missed_deadlines_are_counted(tmp_path: Path) -> None:
    device = Device(tmp_path)
    record = run(device, minutes=1.0, rate_fps=60.0)
    assert device.asked[0] == {"name": "paced", "clock": "task", "interval_s": 1 / 60, "frames": 60}
    assert record.missed == pytest.approx(300, abs=10)


def test_a_machine_without_sensors_has_nulls(tmp_path: Path) -> None:
    device = Device(tmp_path)
    bare = SimpleNamespace(pid=1, path=device.path, ask=lambda *_, **values: device.ask("closed_loop", **values))
    config = BenchmarkConfig(files=(Path("net.onnx"),), scenarios=ScenarioOptions(scenarios=("sustained",), minutes=0.2))
    process: Any = bare
    empty = tmp_path / "empty"
    record = sustained_run(config, process, "model", None, EnergySource(), no_progress, now=device.now, root=empty)
    assert set(record.curve.temperature_c) == set(record.curve.frequency_mhz) == {None}
    assert record.energy.per_inference_mj is None
