"""What a profile says of its operators: order, shares, fallbacks."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgecnn.engine_device import CPU
from edgecnn.runtime.profile import WITHOUT, ort, ov, profile_file
from edgecnn.runtime.profile.operators import OperatorProfile, OperatorTime, fill_batch
from edgecnn.types import TensorSpec

INT8 = OperatorProfile(
    "onnxruntime",
    20,
    (
        OperatorTime("a", "QLinearConv", 5.0, "int8", "CPU"),
        OperatorTime("b", "DequantizeLinear", 1.0, "int8", "CPU"),
        OperatorTime("c", "Conv", 3.0, "fp32", "CPU"),
        OperatorTime("d", "Transpose", 0.5, "fp32", "CPU"),
        OperatorTime("e", "Sigmoid", 0.5, "fp32", "CPU"),
    ),
)


def test_the_slowest_come_first_and_types_are_summed() -> None:
    assert [one.name for one in INT8.top(2)] == ["a", "c"]
    assert list(INT8.by_type().items())[:2] == [("QLinearConv int8", 5.0), ("Conv fp32", 3.0)]


def test_float_operators_of_an_int8_graph_are_named_by_their_time_and_conversions_are_not() -> None:
    assert INT8.fallbacks() == [
        "1 x Conv (30% of the time) in fp32, in an int8 graph",
        "1 x Sigmoid (5% of the time) in fp32, in an int8 graph",
    ]


def test_a_float_graph_has_no_fallback() -> None:
    assert OperatorProfile("onnxruntime", 1, (OperatorTime("c", "Conv", 3.0, "fp32", "CPU"),)).fallbacks() == []


def test_a_float_graph_that_prepares_bytes_is_no_int8_graph() -> None:
    own = (OperatorTime("a", "Subgraph", 0.01, "int8"), OperatorTime("c", "Convolution", 3.0, "fp32"))
    assert OperatorProfile("openvino", 1, own).fallbacks() == []


def test_operators_on_the_processor_beside_a_gpu_are_named() -> None:
    operators = (OperatorTime("a", "Conv", 1.0, "fp32", "CUDA"), OperatorTime("b", "NonMaxSuppression", 3.0, "fp32", "CPU"))
    assert OperatorProfile("onnxruntime", 1, operators).fallbacks() == [
        "1 x NonMaxSuppression (75% of the time) on the CPU, not on CUDA"
    ]


def event(name: str, duration: int, kind: str = "uint8", index: int = 0) -> dict[str, Any]:
    arguments = {"op_name": "Conv", "provider": "CPUExecutionProvider", "node_index": str(index)}
    return {"cat": "Node", "name": name, "dur": duration, "args": {**arguments, "input_type_shape": [{kind: [1, 3]}]}}


def test_events_of_onnx_runtime_give_the_median_without_the_first_run() -> None:
    events = [{"cat": "Session", "name": "model_run", "dur": 9, "args": {}}, event("x_fence_before", 7)]
    events += [event("x_kernel_time", duration) for duration in (9000, 1000, 3000, 2000)]
    assert ort.operators_of(events) == (OperatorTime("x", "Conv", 2.0, "int8", "CPU"),)


def test_operators_of_the_same_name_are_kept_apart() -> None:
    found = ort.operators_of([event("x_kernel_time", 1000, "float", 1), event("x_kernel_time", 2000, "float16", 2)])
    assert [(one.ms, one.precision) for one in found] == [(1.0, "fp32"), (2.0, "fp16")]


def counter(name: str, ms: float, kernel: str, status: str = "Status.EXECUTED") -> Any:
    return SimpleNamespace(
        node_name=name, node_type="Convolution", exec_type=kernel, real_time=timedelta(milliseconds=ms), status=status
    )


def test_counters_of_openvino_give_precision_by_kernel_and_leave_out_what_did_not_run() -> None:
    skipped = counter("q", 0.0, "undef", "Status.NOT_RUN")
    runs = [[counter("a", ms, "brgconv_avx512_I8"), counter("b", 1.0, "jit_avx512_f32"), skipped] for ms in (50.0, 2.0, 4.0, 3.0)]
    first, second = ov.operators_of(runs)
    assert (first.name, first.ms, first.precision, first.kernel) == ("a", 3.0, "int8", "brgconv_avx512_I8")
    assert second.precision == "fp32"


def test_an_engine_without_times_says_what_gives_them(tmp_path: Any) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"0")
    profile = profile_file(path, CPU, None, 1, {})
    assert (profile.engine, profile.problem) == ("litert", WITHOUT["litert"])
    assert "--enable_op_profiling" in profile.problem


def test_one_image_is_repeated_to_the_batch_of_the_file() -> None:
    spec = TensorSpec("x", (4, 3, 2, 2), "float32")
    assert fill_batch({"x": np.zeros((1, 3, 2, 2), np.float32)}, [spec])["x"].shape == (4, 3, 2, 2)
    free = TensorSpec("x", (-1, 3, 2, 2), "float32")
    assert fill_batch({"x": np.zeros((1, 3, 2, 2), np.float32)}, [free])["x"].shape == (1, 3, 2, 2)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_real_file_is_profiled(tmp_path: Any, engine: str) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip(engine)
    info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    shape = [1, 3, 8, 8]
    weight = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = onnx.helper.make_graph(
        [node("Conv", ["x", "w"], ["y"])], "net", [info("x", 1, shape)], [info("y", 1, [1, 4, 6, 6])], [weight]
    )
    path = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), path)
    profile = profile_file(path, CPU, engine, 1, {"x": np.ones(shape, np.float32)}, runs=3)
    assert (profile.engine, profile.runs, profile.problem) == (engine, 3, "")
    assert any("Conv" in one.type and one.precision == "fp32" for one in profile.operators)
    assert list(tmp_path.iterdir()) == [path]
