"""Definitions of other tools, on a real tiny file and a clock that each look moves by a millisecond."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.benchmarks.measure.tools import benchmark_app, benchmark_model, mlperf, trtexec, ultralytics
from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.registry import TOOLS, names, parse_tool
from edgecnn.errors import InputError
from edgecnn.preprocess import preparer
from edgecnn.runtime.backends.inference_only import inference_only, request_queue
from edgecnn.runtime.model.predictor import Predictor


class Ticking:
    """A clock that goes on by a millisecond at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * 1e-3


@pytest.fixture
def predictor(classifier: Path) -> Iterator[Predictor]:
    with Predictor(classifier, threads=1) as found:
        yield found


@pytest.fixture
def file(predictor: Predictor) -> LoadedFile:
    image = np.full((64, 64, 3), 7, np.uint8)
    feed = {name: array.copy() for name, array in preparer(predictor.card.preprocess, predictor.backend.inputs)(image)[0].items()}
    return LoadedFile(predictor, [feed, feed], [image] * 3, now=Ticking(), scale=0.001)


@pytest.mark.parametrize(("tool", "variant"), [(tool, variant) for tool, variants in TOOLS.items() for variant in variants])
def test_every_definition_measures_and_reports_numbers(file: LoadedFile, tool: str, variant: str) -> None:
    report = TOOLS[tool][variant].measure(file)
    assert report.seconds > 0
    assert report.values
    assert all(isinstance(value, str) or np.isfinite(value) for value in report.values.values())
    json.dumps(dict(report.values))


def test_benchmark_app_ends_by_time_and_divides_by_wall_time(file: LoadedFile) -> None:
    report = benchmark_app.measure_latency(file)
    assert report.values["Median (ms)"] == pytest.approx(1)
    assert report.values["Duration (ms)"] >= 60  # a thousandth of 60 s
    assert report.values["Throughput (FPS)"] == pytest.approx(len(report.samples_ms) / report.seconds)
    assert report.notes  # ONNX Runtime has no latency of its own


def test_percentiles_are_those_of_each_tool() -> None:
    ordered = [1.0, 2.0, 3.0, 4.0]
    assert benchmark_app.percentile(ordered, 50) == 2.0
    assert trtexec.median(ordered) == 2.5
    assert trtexec.median([1.0, 2.0, 9.0]) == 2.0
    hundred = [float(value) for value in range(100)]
    assert trtexec.percentile(hundred, 90) == 89.0
    assert benchmark_app.percentile(hundred, 90) == 89.0


def test_trtexec_needs_both_time_and_iterations(file: LoadedFile) -> None:
    assert len(trtexec.measure(file).samples_ms) == 10  # a thousandth of 3 s is over before ten iterations


def test_tflite_needs_fifty_runs_and_reports_microseconds(file: LoadedFile) -> None:
    whole = LoadedFile(file.predictor, file.feeds, file.images, now=Ticking())
    report = benchmark_model.measure(whole)
    assert report.values["count"] >= 50
    assert report.values["Inference (avg) (us)"] == pytest.approx(1000)


def test_mlperf_is_valid_only_with_enough_queries(file: LoadedFile) -> None:
    many = mlperf.single_stream(file).values
    assert (many["Min queries satisfied"], many["Early stopping satisfied"]) == ("Yes", "Yes")
    few = mlperf.single_stream(LoadedFile(file.predictor, file.feeds, file.images, now=Ticking(), scale=1e-5)).values
    assert (few["Min queries satisfied"], few["Early stopping satisfied"]) == ("No", "No")
    assert "Early stopping 90th percentile estimate (ns)" not in few


def test_tiny_takes_the_median_of_five_loops(file: LoadedFile) -> None:
    values = mlperf.tiny(file).values
    rates = sorted(value for name, value in values.items() if name.startswith("throughput of loop"))
    assert values["Median throughput (inf./sec.)"] == rates[2]


def test_ultralytics_deletes_the_tail() -> None:
    samples = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95] * 10 + [50.0]
    assert max(ultralytics.clipped(samples)) < 11
    assert ultralytics.clipped([1.0, 1.0]) == [1.0, 1.0]


def test_ultralytics_counts_the_inference_stage_alone(file: LoadedFile) -> None:
    values: Any = ultralytics.measure(file).values
    assert values["FPS"] == pytest.approx(1000 / (values["Inference time (ms/im)"] + 0.001))
    assert values["images"] == 3


def test_tools_are_named_with_their_variants() -> None:
    assert parse_tool("benchmark_app") == ("benchmark_app", "throughput")
    assert parse_tool("MLPerf:Tiny") == ("mlperf", "tiny")
    assert {"benchmark_app", "benchmark_app:latency", "trtexec", "tflite", "mlperf", "ultralytics:profile"} <= set(names())


@pytest.mark.parametrize(
    ("text", "fix"), [("perf", "benchmark_app"), ("tflite:fast", "use tflite"), ("mlperf:server", "mlperf:offline")]
)
def test_an_unknown_tool_or_variant_is_said_with_those_there_are(text: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_tool(text)
    assert fix in caught.value.fix


@pytest.mark.parametrize("package", ["onnxruntime", "openvino"])
def test_inference_alone_computes_on_the_inputs_that_were_set(classifier: Path, package: str) -> None:
    pytest.importorskip(package)
    with Predictor(classifier, threads=1, engine=package) as predictor:
        spec = predictor.backend.inputs[0]
        feed = {spec.name: np.full(spec.shape, 9, np.uint8)}
        run = inference_only(predictor.backend, feed)
        run()
        assert (run.latency_ms is not None) == (package == "openvino")


def test_throughput_of_benchmark_app_keeps_the_engines_own_requests_busy(classifier: Path) -> None:
    pytest.importorskip("openvino")
    with Predictor(classifier, threads=1, engine="openvino") as predictor:
        spec = predictor.backend.inputs[0]
        feed = {spec.name: np.full(spec.shape, 9, np.uint8)}
        report = benchmark_app.measure_throughput(LoadedFile(predictor, [feed], [], "openvino", 0.001, Ticking()))
        assert report.values["Number of infer requests"] == predictor.backend.concurrency
        assert report.values["Count (iterations)"] == len(report.samples_ms) >= 60  # a millisecond at each look, 60 ms in all
        assert all(value > 0 for value in report.samples_ms)  # by the engine's count, which does not tick
        assert not report.notes


def test_each_request_of_a_queue_computes_on_the_inputs_that_were_set(classifier: Path) -> None:
    pytest.importorskip("openvino")
    with Predictor(classifier, threads=1, engine="openvino") as predictor:
        spec = predictor.backend.inputs[0]
        image = np.random.default_rng(3).integers(0, 256, spec.shape, np.uint8)
        queue = request_queue(predictor.backend, {spec.name: image}, 2)
        assert queue is not None
        seen = set()
        for _ in range(8):
            seen.add(queue.idle())
            queue.start()
        queue.wait()
        assert seen <= {0, 1}
        assert all(queue.latency_ms(request) > 0 for request in seen)
        assert all((array == image).all() for request in queue._queue for array in [request.get_input_tensor(0).data])
