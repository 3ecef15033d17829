"""int8 weights under the limit: sums that fit 16 bits, the smallest error under that condition, and where no limit is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from edgecnn.export import Calibration
from edgecnn.export.config import GraphOptions
from edgecnn.export.formats import to_onnx
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.quantize import qdq_calibration
from edgecnn.export.quantize.pair_limits import limit_weights, limited, make_unsigned, saturating
from edgecnn.export.quiet import quiet
from edgecnn.types import Array

SHAPES = [(8, 9, 4), (8, 9, 3), (8, 9, 1), (8, 1, 7), (8, 25, 5), (1, 1, 1)]  # channels, taps, inputs
HASWELL = ("qemu-x86_64", "-cpu", "Haswell")  # AVX2 without VNNI


def saturated(activations: Array, codes: Array) -> Array:
    """The sums as VPMADDUBSW adds them: neighbouring products in 16 bits with saturation; (channels, products), an even number."""
    products = activations.astype(np.int64) * codes.astype(np.int64)
    return np.clip(products.reshape(len(codes), -1, 2).sum(-1), -(2**15), 2**15 - 1).sum(-1)


def heavy(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Weights of which many are near the largest."""
    rng = np.random.default_rng(seed)
    return (rng.choice([-1, 1, 1], shape) * rng.uniform(0.4, 1, shape)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_two_products_fit_sixteen_bits(shape: tuple[int, ...]) -> None:
    codes, _ = limited(heavy(shape))
    assert np.abs(codes).max() <= 127
    rows = [codes.reshape(len(codes), -1), *np.moveaxis(codes, 1, 0)]  # one row of all taps, and each tap alone
    for row in rows:
        padded = np.pad(row, ((0, 0), (0, row.shape[1] % 2)))
        for bright in (padded > 0, padded < 0):
            assert (saturated(bright * 255, padded) == (bright * 255 * padded).sum(-1)).all()


def test_unlimited_weights_saturate() -> None:
    weights = heavy((8, 9, 4)).reshape(8, -1)
    codes = np.round(weights / np.abs(weights).max(1, keepdims=True) * 127)
    bright = (codes > 0) * 255
    assert (saturated(bright, codes) != (bright * codes).sum(-1)).all()


def test_the_error_is_near_that_of_eight_bits() -> None:
    weights = np.random.default_rng(1).standard_normal((64, 9, 32)).astype(np.float32)
    codes, scales = limited(weights)
    error = np.square(codes * scales[:, None, None] - weights).mean()
    finest = (np.abs(weights).max((1, 2)) / 127)[:, None, None]
    plain, seven_bits = (np.square(np.round(weights / step) * step - weights).mean() for step in (finest, finest * 2))
    assert plain < error < 0.5 * seven_bits


def test_a_channel_of_zeros_has_codes_of_zero() -> None:
    weights = heavy((4, 9, 3))
    weights[1] = 0
    codes, scales = limited(weights)
    assert not codes[1].any()
    assert scales[1] == 0
    assert np.abs(codes[0]).any()


class Layers(nn.Module):
    """One layer of each kind, the weights near their largest value."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 6, 3, groups=2), nn.Flatten(), nn.Linear(24, 5)
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.data = torch.from_numpy(heavy(tuple(layer.weight.shape)))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": self.layers(image.abs())}


@pytest.fixture(scope="module")
def converted() -> Any:
    net = Layers().eval()
    net.options = GraphOptions()
    net.free_axes = lambda: None  # type: ignore[assignment]
    net.names, net.input_names = ("scores",), ("image",)
    with quiet():
        return to_onnx.convert(net, torch.zeros(1, 3, 8, 8))  # type: ignore[arg-type]


@pytest.fixture
def program(converted: Any) -> Any:
    copy = onnx.ModelProto()
    copy.CopyFrom(converted)
    return copy


def feeds(count: int = 4) -> list[dict[str, Array]]:
    rng = np.random.default_rng(2)
    return [{"image": rng.choice([0, 1], (1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


def test_products_are_limited_and_depthwise_convolutions_are_not(program: Any) -> None:
    found = limit_weights(program)
    assert sorted(found) == ["layers.0.weight", "layers.2.weight", "layers.4.weight"]
    assert [len(found[name]) for name in sorted(found)] == [8, 6, 5]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in program.graph.initializer}
    assert np.array_equal(weights["layers.1.weight"], heavy((8, 1, 3, 3)))
    for name, ranges in found.items():
        codes = np.moveaxis(weights[name], ranges[0]["axis"], -1) / [one["rmax"] / 127 for one in ranges]
        assert np.allclose(codes, np.round(codes), atol=1e-3)


def test_operators_that_stay_in_float_keep_their_weights(program: Any) -> None:
    for node in program.graph.node:
        node.name = node.output[0]
    first = next(node.name for node in program.graph.node if "layers.0.weight" in node.input)
    assert sorted(limit_weights(program, [first])) == ["layers.2.weight", "layers.4.weight"]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in program.graph.initializer}
    assert np.array_equal(weights["layers.0.weight"], heavy((8, 3, 3, 3)))


def test_unsigned_weights_keep_their_values(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", feeds()[0]["image"])
    monkeypatch.setattr(qdq_calibration, "limit_weights", lambda model, kept: {})
    plain = to_onnx.lower(program, "int8", feeds())
    before = run(tmp_path, plain)
    assert saturating(make_unsigned(plain)) == []
    stored = [tensor.data_type for tensor in plain.graph.initializer if len(tensor.dims) > 1]
    assert stored.count(onnx.TensorProto.UINT8) == 3
    assert np.allclose(run(tmp_path, plain), before, atol=1e-5)


def test_files_without_the_limit_are_told(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saturating(to_onnx.lower(program, "int8", feeds())) == []
    monkeypatch.setattr(qdq_calibration, "limit_weights", lambda model, kept: {})
    assert len(saturating(to_onnx.lower(program, "int8", feeds()))) == 3


def test_a_converted_network_does_not_saturate(prepared_classifier: PreparedModel, calibration: Calibration) -> None:
    assert saturating(prepared_classifier.lowered("onnx", "int8", calibration)) == []


RUN = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
numpy.save(sys.argv[3], session.run(None, {"image": numpy.load(sys.argv[2])})[0])
"""


@pytest.mark.skipif(shutil.which(HASWELL[0]) is None, reason="needs qemu-user, which emulates a processor without VNNI")
def test_a_processor_without_vnni_computes_the_same(program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "image.npy", feeds()[0]["image"])
    exact = to_onnx.lower(program, "int8", feeds())
    monkeypatch.setattr(qdq_calibration, "limit_weights", lambda model, kept: {})
    plain = to_onnx.lower(program, "int8", feeds())
    differences = [np.abs(run(tmp_path, file, HASWELL) - run(tmp_path, file)).max() for file in (exact, plain)]
    assert differences[0] == 0
    assert differences[1] > 1


def run(folder: Path, program: Any, emulator: tuple[str, ...] = ()) -> Array:
    onnx.save(program, folder / "net.onnx")
    paths = [str(folder / name) for name in ("net.onnx", "image.npy", "out.npy")]
    subprocess.run([*emulator, sys.executable, "-c", RUN, *paths], check=True, capture_output=True)
    found: Array = np.load(folder / "out.npy")
    return found
