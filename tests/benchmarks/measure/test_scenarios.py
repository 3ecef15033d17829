"""Scenarios of a real tiny file, their plans, and energy per inference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.protocol import FULL, QUICK, Protocol
from edgecnn.benchmarks.measure.scenario import EnergyUse, ScenarioOptions, ScenarioRecord
from edgecnn.benchmarks.measure.scenarios import energy_use, plan_of
from edgecnn.benchmarks.report.document import to_document, to_json
from edgecnn.benchmarks.report.table import to_table
from edgecnn.devices.energy_source import EnergySource
from edgecnn.types import Latency


def test_all_scenarios_are_measured_and_written(classifier: Path, brief: Protocol) -> None:
    options = ScenarioOptions(
        scenarios=("multi-stream", "offline", "paced", "sustained"), streams=3, rate_fps=1000.0, minutes=0.002
    )
    record = measure(BenchmarkConfig(files=(classifier,), clocks=("model",), protocol=brief, scenarios=options, threads=1))
    document = json.loads(to_json(to_document(record)))["files"][0]
    found = document["scenarios"]
    assert list(found) == ["multi_stream", "offline", "paced"]
    multi = found["multi_stream"]
    assert multi["queries"] == 8
    assert multi["inferences"] == 24
    assert multi["bound_ms"] is None
    assert found["offline"]["throughput_fps"] > 0
    assert found["offline"]["p99_ms"] is None
    assert found["paced"]["deadline_ms"] == 1.0
    assert found["paced"]["missed_deadlines"] == sum(value > 1.0 for value in found["paced"]["samples_ms"])
    curve = document["sustained"]
    lengths = {len(curve[name]) for name in ("t_s", "latency_ms_p50", "latency_ms_p99", "temperature_c", "frequency_mhz")}
    assert len(lengths) == 1
    assert lengths.pop() >= 1
    assert all(title in to_table(record) for title in ("multi-stream", "offline", "paced", "sustained"))


def test_a_record_without_scenarios_has_nulls(classifier: Path, brief: Protocol) -> None:
    document = to_document(measure(BenchmarkConfig(files=(classifier,), clocks=("model",), protocol=brief, throughput=False)))
    assert (document["files"][0]["scenarios"], document["files"][0]["sustained"]) == (None, None)


def test_the_defaults_are_those_of_mlperf_and_of_a_camera() -> None:
    multi = plan_of("multi-stream", ScenarioOptions(), FULL, threads=4)
    assert (multi.streams, multi.requests, multi.arguments["queries"]) == (8, 4, 331)
    camera = plan_of("paced", ScenarioOptions(), QUICK, threads=4)
    assert (camera.streams, camera.rate_fps, camera.arguments) == (1, 30.0, {"interval_s": 1 / 30, "frames": 32})


def test_several_cameras_share_the_device() -> None:
    cameras = plan_of("paced", ScenarioOptions(streams=4, rate_fps=25.0), FULL, threads=2)
    assert cameras.requests == 2
    assert cameras.arguments["interval_s"] == pytest.approx(0.01)
    assert cameras.arguments["frames"] == 500  # ten seconds in two rounds


def test_energy_is_what_an_inference_adds_to_idle() -> None:
    source = EnergySource("RAPL processor")
    assert energy_use(source, [6.0, 4.0], 3.0, 2.0, 100).per_inference_mj == pytest.approx(40)


def test_energy_is_null_where_a_part_or_the_idle_power_is_unknown() -> None:
    source = EnergySource(problem="root only")
    assert energy_use(source, [6.0, None], 3.0, 2.0, 100).joules is None
    assert energy_use(source, [6.0], None, 2.0, 100).per_inference_mj is None
    assert EnergyUse("x", joules=1.0, idle_watts=2.0, seconds=1.0, inferences=5).per_inference_mj is None  # below idle


def paced_record(seconds: float) -> ScenarioRecord:
    return ScenarioRecord("paced", "task", 1, seconds, 300, Latency((1.0,) * 300), streams=1, rate_fps=30.0, deadline_ms=33.3)


def test_a_device_that_does_not_keep_up_is_known_by_its_rate() -> None:
    assert paced_record(10.0).keeps_up
    assert not paced_record(12.0).keeps_up


def test_the_bound_is_of_the_percentile_that_mlperf_judges() -> None:
    samples = tuple(float(value) for value in range(1, 663))
    assert ScenarioRecord("multi-stream", "task", 1, 1.0, 662, Latency(samples)).bound_ms == 662.0
    assert ScenarioRecord("multi-stream", "task", 1, 1.0, 661, Latency(samples[:-1])).bound_ms is None


@pytest.mark.parametrize("wrong", [{"streams": 0}, {"rate_fps": 0.0}, {"minutes": 0.0}, {"scenarios": ("server",)}])
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give|use"):
        ScenarioOptions(**wrong)  # type: ignore[arg-type]


def test_the_age_clock_alone_has_no_scenario() -> None:
    with pytest.raises(ValueError, match="model or task"):
        BenchmarkConfig(files=(Path("x.onnx"),), clocks=("age",), scenarios=ScenarioOptions(scenarios=("paced",)))
