"""A network that is made from an ONNX file computes what ONNX Runtime computes, or names what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
import onnxruntime
import torch

from edgecnn.benchmarks.figures.onnx_network import VARIABLE, OnnxNetwork, network
from edgecnn.errors import InputError

RNG = np.random.default_rng(0)


class OnnxWriter:
    """A chain of nodes: each reads the result of the one before, and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "image"

    def add(self, kind: str, *constants: Any, **attributes: Any) -> str:
        """Append a node, and give the name of its result; an array becomes a constant, a text names another result."""
        names = [self.last]
        for value in constants:
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"constant{len(self.constants)}")
            self.constants.append(onnx.numpy_helper.from_array(np.asarray(value), names[-1]))
        self.last = f"{kind}{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, names, [self.last], **attributes))
        return self.last

    def save(self, path: Path, *, operators: int = 13) -> Path:
        image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 3, 16, 20))
        result = onnx.helper.make_tensor_value_info(self.last, onnx.TensorProto.FLOAT, None)
        graph = onnx.helper.make_graph(self.nodes, "tiny", [image], [result], self.constants)
        opset = [onnx.helper.make_opsetid("", operators)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        return path


def weights(*shape: int) -> Any:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


def assert_equal(path: Path) -> None:
    image = RNG.normal(size=(1, 3, 16, 20)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": image})
    with torch.no_grad():
        found = OnnxNetwork(path).eval()(torch.from_numpy(image))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_small_cnn(tmp_path: Path) -> None:
    file = OnnxWriter()
    file.add("Conv", weights(8, 3, 3, 3), weights(8), pads=[1, 1, 1, 1], strides=[2, 2])
    file.add("BatchNormalization", weights(8), weights(8), weights(8), abs(weights(8)) + 0.5, epsilon=1e-3)
    wide = file.add("Clip", np.float32(0), np.float32(6))
    file.add("Conv", weights(8, 1, 3, 3), pads=[0, 0, 2, 2], group=8)
    file.add("HardSigmoid", alpha=0.2, beta=0.5)
    file.add("Mul", wide)
    file.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    file.add("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    file.add("Resize", np.empty(0, np.float32), np.float32([1, 1, 2, 2]), mode="nearest")
    file.add("Concat", wide, axis=1)
    file.add("Slice", np.int64([1]), np.int64([13]), np.int64([1]), np.int64([2]))
    file.add("GlobalAveragePool")
    file.add("Reshape", np.int64([0, -1]))
    file.add("Gemm", weights(5, 6), weights(5), transB=1)
    file.add("Softmax", axis=1)
    assert_equal(file.save(tmp_path / "net.onnx"))


@pytest.mark.parametrize("include", [0, 1])
def test_an_average_counts_its_border_or_not(include: int, tmp_path: Path) -> None:
    file = OnnxWriter()
    file.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=include)
    assert_equal(file.save(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    ("kind", "constants", "attributes", "said"),
    [
        pytest.param("Erf", (), {}, "Erf", id="operator"),
        pytest.param("MaxPool", (), {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}, "MaxPool with different pads", id="pads"),
        pytest.param("MaxPool", (), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, "ceil_mode", id="ceil_mode"),
        pytest.param("AveragePool", (), {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, "auto_pad", id="auto_pad"),
        pytest.param(
            "Resize",
            (np.empty(0, np.float32), np.float32([1, 1, 2, 2])),
            {"mode": "linear"},
            "Resize other than nearest",
            id="mode",
        ),
        pytest.param(
            "Resize",
            (np.empty(0, np.float32), np.float32([1, 1, 1.5, 1.5])),
            {"mode": "nearest"},
            "Resize by these",
            id="factors",
        ),
    ],
)
def test_what_it_does_not_know_is_named(
    kind: str, constants: tuple[Any, ...], attributes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = OnnxWriter()
    file.add(kind, *constants, **attributes)
    path = file.save(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"the ONNX operator .*{said}.* is not known here"):
        OnnxNetwork(path)(torch.zeros(1, 3, 16, 20))


def test_the_file_is_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match=f"{VARIABLE} names no file; set {VARIABLE} to an ONNX file"):
        network()
    file = OnnxWriter()
    file.add("Relu")
    monkeypatch.setenv(VARIABLE, str(file.save(tmp_path / "net.onnx")))
    made = network()
    assert not made.training
    assert made(torch.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
