from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.trust.explain.inner import FileReader, open_inner
from tests.trust.inside.networks import KINDS, OPTIONS, SIDE, image, save_onnx, weights, write_network

FOUR = dataclasses.replace(OPTIONS, labels=Path("a,b,c,d"))


def opened(folder: Path, kind: str) -> FileReader:
    return open_inner(write_network(folder, kind), OPTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_those_of_the_network(kind: str, tmp_path: Path) -> None:
    with opened(tmp_path, kind) as reader:
        found = [(one.kind, one.channels, one.height, one.width, one.stride, one.receptive_field) for one in reader.layers]
        assert found == [
            ("conv", 4, 8, 8, 2, 3),
            ("depthwise conv", 4, 8, 8, 2, 7),
            ("max pool", 4, 4, 4, 4, 9),
            ("conv", 6, 4, 4, 4, 9),
            ("conv", 6, 4, 4, 4, 17),
            ("sum", 6, 4, 4, 4, 17),
        ]
        assert [step.activation for step in reader.steps] == ["relu", "relu", "", "", "", "relu"]
        assert len({one.name for one in reader.layers}) == len(reader.layers)
        assert [one.depth for one in reader.layers] == list(range(6))
        assert [step.pads for step in reader.steps[:3]] == [(1, 1), (1, 1), (0, 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_activations_are_those_of_the_weights(kind: str, tmp_path: Path) -> None:
    """The first layer by hand; the others as the ONNX file has them."""
    own, shown = weights(), image()
    x = np.pad(shown[..., ::-1].transpose(2, 0, 1) / 255, ((0, 0), (1, 1), (1, 1))).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2]
    expected = np.maximum(np.einsum("oikl,ihwkl->ohw", own["first"], windows), 0)
    with opened(tmp_path, kind) as reader:
        names = [one.name for one in reader.layers]
        found = reader.activations(shown, names)
    assert found[names[0]] == pytest.approx(expected, abs=1e-5)
    assert found[names[0]].dtype == np.float32
    if kind != "onnx":
        with opened(tmp_path, "onnx") as reference:
            same = reference.activations(shown, [one.name for one in reference.layers])
        for one, other in zip(found.values(), same.values(), strict=True):
            assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_filters_are_the_weights_in_rgb_order(kind: str, tmp_path: Path) -> None:
    with opened(tmp_path, kind) as reader:
        assert reader.filters() == pytest.approx(weights()["first"], abs=1e-6)


def test_filters_are_in_rgb_order_where_the_file_wants_bgr(tmp_path: Path) -> None:
    with open_inner(write_network(tmp_path, "onnx"), dataclasses.replace(OPTIONS, color="bgr")) as reader:
        assert reader.filters() == pytest.approx(weights()["first"][:, ::-1], abs=1e-6)


def test_filters_over_moved_pixels_are_put_back(tmp_path: Path) -> None:
    """YOLOX moves every second pixel to channels: its filter of 3 x 3 is one of 6 x 6 pixels."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    wanted = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    order = [(0, 0), (1, 0), (0, 1), (1, 1)]  # (row, column) of the first pixel of each slice
    moved = np.concatenate([wanted[:, :, y::2, x::2] for y, x in order], 1)
    nodes, constants = [], {"w": moved, "axes": np.array([2, 3]), "steps": np.array([2, 2]), "ends": np.array([SIDE, SIDE])}
    for index, start in enumerate(order):
        constants[f"start{index}"] = np.array(start)
        nodes.append(node("Slice", ["image", f"start{index}", "ends", "axes", "steps"], [f"s{index}"]))
    nodes += [
        node("Concat", [f"s{index}" for index in range(4)], ["joined"], axis=1),
        node("Conv", ["joined", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["c"], ["mean"]),
        node("Flatten", ["mean"], ["out"]),
    ]
    path = save_onnx(tmp_path / "focus.onnx", nodes, constants, (1, 3, SIDE, SIDE), (1, 2), "out")
    with open_inner(path, OPTIONS) as reader:
        assert reader.filters() == pytest.approx(wanted, abs=1e-6)
        assert (reader.layers[0].receptive_field, reader.layers[0].stride) == (6, 2)


def test_int8_layers_have_the_names_of_float_ones_and_rounded_values(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    own = weights()["first"]
    scale = np.abs(own).max((1, 2, 3)) / 127
    codes = np.rint(own / scale[:, None, None, None]).astype(np.int8)
    constants = {"codes": codes, "scales": scale.astype(np.float32), "zeros": np.zeros(4, np.int8)}
    constants |= {"step": np.array(0.05, np.float32), "zero": np.array(-128, np.int8)}
    nodes = [
        node("DequantizeLinear", ["codes", "scales", "zeros"], ["w"], axis=0),
        node("Conv", ["image", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "step", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "step", "zero"], ["d"]),
        node("GlobalAveragePool", ["d"], ["mean"]),
        node("Flatten", ["mean"], ["out"]),
    ]
    path = save_onnx(tmp_path / "int8.onnx", nodes, constants, (1, 3, SIDE, SIDE), (1, 4), "out")
    with open_inner(path, FOUR) as reader:
        (layer,) = reader.layers
        assert (layer.name, reader.steps[0].activation) == ("r", "relu")
        maps = reader.activations(image(), ["r"])["r"]
        assert np.abs(maps / 0.05 - np.rint(maps / 0.05)).max() < 1e-3
        assert maps.max() > 0
        assert reader.filters() == pytest.approx(codes * scale[:, None, None, None], abs=1e-6)


def test_silu_of_several_operators_belongs_to_its_convolution(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    nodes = [
        node("Conv", ["image", "first"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c"], ["g"]),
        node("Mul", ["c", "g"], ["silu"]),
        node("GlobalAveragePool", ["silu"], ["mean"]),
        node("Flatten", ["mean"], ["out"]),
    ]
    path = save_onnx(tmp_path / "net.onnx", nodes, {"first": weights()["first"]}, (1, 3, SIDE, SIDE), (1, 4), "out")
    with open_inner(path, FOUR) as reader:
        (layer,) = reader.layers
        assert (layer.name, reader.steps[0].activation) == ("silu", "silu")


def test_an_unknown_layer_names_near_ones(tmp_path: Path) -> None:
    with opened(tmp_path, "onnx") as reader, pytest.raises(InputError, match=r"no layer 'first_rel'; near ones: first_relu"):
        reader.activations(image(), ["first_rel"])


def test_a_file_without_a_convolution_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    nodes = [node("Flatten", ["image"], ["f"]), node("Gemm", ["f", "w"], ["out"], transB=1)]
    constants = {"w": np.ones((2, 3 * SIDE * SIDE), np.float32)}
    path = save_onnx(tmp_path / "mlp.onnx", nodes, constants, (1, 3, SIDE, SIDE), (1, 2), "out")
    with pytest.raises(InputError, match="no convolution"):
        open_inner(path, OPTIONS)


def test_a_relu_that_was_merged_with_a_quantizer_is_told(tmp_path: Path) -> None:
    """int8 whose lowest code is 0 cuts what is below, as a ReLU does."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node
    constants = {"first": weights()["first"], "step": np.array(0.05, np.float32)}
    constants |= {"closed": np.array(-128, np.int8), "open": np.array(0, np.int8), "mix": weights()["mix"][:4]}
    nodes = [
        node("Conv", ["image", "first"], ["a"], kernel_shape=[3, 3]),
        node("QuantizeLinear", ["a", "step", "closed"], ["qa"]),
        node("DequantizeLinear", ["qa", "step", "closed"], ["da"]),
        node("Conv", ["da", "mix"], ["b"], kernel_shape=[1, 1]),
        node("QuantizeLinear", ["b", "step", "open"], ["qb"]),
        node("DequantizeLinear", ["qb", "step", "open"], ["db"]),
        node("GlobalAveragePool", ["db"], ["mean"]),
        node("Flatten", ["mean"], ["out"]),
    ]
    path = save_onnx(tmp_path / "int8.onnx", nodes, constants, (1, 3, SIDE, SIDE), (1, 4), "out")
    with open_inner(path, FOUR) as reader:
        assert [(step.layer.name, step.activation) for step in reader.steps] == [("a", "relu"), ("b", "")]
        assert reader.activations(image(), ["a"])["a"].min() == 0
