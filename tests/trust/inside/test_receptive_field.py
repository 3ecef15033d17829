from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.trust.inside.graph import InsideNode, SlidingWindow
from edgecnn.trust.inside.receptive_field import Field, receptive_fields


def chain(size: int, *layers: tuple[int, int, int], dilation: int = 1) -> Field:
    """The field behind layers of (kernel, stride, padding) on an image of ``size``."""
    nodes, name, places = [], "image", size
    for index, (kernel, stride, pad) in enumerate(layers):
        places = (places + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        window = SlidingWindow((kernel, kernel), (stride, stride), (dilation, dilation), (pad, pad))
        nodes.append(InsideNode(f"n{index}", "conv", (name,), (1, 8, places, places), window=window))
        name = f"n{index}"
    return receptive_fields(nodes, {"image": (1, 3, size, size)}, (size, size))[name]


VGG16 = [layer for convolutions in (2, 2, 3, 3, 3) for layer in (*[(3, 1, 1)] * convolutions, (2, 2, 0))]
ALEXNET = [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]
MOBILENET = [(3, 2, 1), *[(3, stride, 1) for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)]]


@pytest.mark.parametrize(
    ("layers", "field", "stride", "first"), [(VGG16, 212, 32, -90), (ALEXNET, 195, 32, -66), (MOBILENET, 315, 32, -157)]
)
def test_fields_of_known_networks(layers: list[tuple[int, int, int]], field: int, stride: int, first: int) -> None:
    """Field and stride as Araujo et al. (2019) list them."""
    found = chain(224, *layers)
    assert (found.size, found.stride) == (field, stride)
    assert found.box(0, 0)[0] == first


def test_dilation_spreads_a_kernel() -> None:
    assert chain(32, (3, 1, 0), (3, 1, 0), dilation=2).size == 9


def fields(nodes: list[InsideNode], size: int = 32) -> dict[str, Field]:
    return receptive_fields(nodes, {"image": (1, 3, size, size)}, (size, size))


def convolution(name: str, source: str, size: int, kernel: int = 3, pad: int = 1, **more: Any) -> InsideNode:
    return InsideNode(
        name, "conv", (source,), (1, 4, size, size), window=SlidingWindow((kernel, kernel), pads=(pad, pad)), **more
    )


def test_a_sum_sees_what_either_way_sees() -> None:
    nodes = [
        convolution("a", "image", 32),
        convolution("b", "a", 32, 5, 2),
        InsideNode("s", "sum", ("a", "b"), (1, 4, 32, 32)),
    ]
    assert fields(nodes)["s"].box(10, 10) == (7, 7, 14, 14)


def test_a_gate_is_told_and_does_not_count() -> None:
    nodes = [
        convolution("a", "image", 32),
        InsideNode("mean", "whole", ("a",), (1, 4, 1, 1), word="GlobalAveragePool"),
        InsideNode("gate", "conv", ("mean",), (1, 4, 1, 1), window=SlidingWindow((1, 1))),
        InsideNode("p", "product", ("a", "gate"), (1, 4, 32, 32)),
    ]
    found = fields(nodes)
    assert found["mean"].whole
    assert (found["p"].size, found["p"].gated, found["p"].whole) == (3, True, False)


def test_pixels_that_are_moved_to_channels_count() -> None:
    """As YOLOX begins: every second pixel in four slices, joined, then 3 x 3."""
    nodes = [InsideNode(f"s{index}", "slice", ("image",), (1, 3, 16, 16), word="Slice") for index in range(4)]
    nodes += [InsideNode("j", "join", ("s0", "s1", "s2", "s3"), (1, 12, 16, 16)), convolution("c", "j", 16)]
    found = fields(nodes)["c"]
    assert (found.size, found.stride) == (6, 2)
    assert found.box(3, 3) == (4, 4, 10, 10)


def test_a_shape_that_moves_pixels_to_channels_counts() -> None:
    nodes = [
        InsideNode("six", "shape", ("image",), (1, 3, 16, 2, 16, 2)),
        InsideNode("turned", "shape", ("six",), (1, 3, 2, 2, 16, 16)),
        InsideNode("four", "shape", ("turned",), (1, 12, 16, 16)),
    ]
    assert fields(nodes)["four"].box(1, 2) == (4, 2, 6, 4)


def test_padding_that_is_an_operator_moves_the_field() -> None:
    nodes = [
        InsideNode("p", "pad", ("image",), (1, 3, 34, 34)),
        InsideNode("c", "conv", ("p",), (1, 4, 16, 16), window=SlidingWindow((3, 3), (2, 2))),
    ]
    assert fields(nodes)["c"].box(0, 0) == (-1, -1, 2, 2)


def test_other_axes_of_an_image_with_channels_last() -> None:
    """A flip of colours takes one channel of three: that is no step of three pixels."""
    nodes = [
        InsideNode("one", "slice", ("image",), (1, 24, 32, 1), word="StridedSlice"),
        InsideNode("joined", "join", ("one", "one"), (1, 24, 32, 3)),
        InsideNode("turned", "shape", ("joined",), (1, 3, 24, 32)),
        InsideNode("c", "conv", ("turned",), (1, 4, 24, 32), window=SlidingWindow((3, 3), pads=(1, 1))),
    ]
    found = receptive_fields(nodes, {"image": (1, 24, 32, 3)}, (24, 32))["c"]
    assert (found.size, found.stride, found.places) == (3, 1, (24, 32))


def test_what_is_enlarged_sees_no_less() -> None:
    nodes = [
        InsideNode("c", "conv", ("image",), (1, 4, 16, 16), window=SlidingWindow((3, 3), (2, 2), pads=(1, 1))),
        InsideNode("up", "resize", ("c",), (1, 4, 32, 32), word="resize_nearest_neighbor"),
    ]
    found = fields(nodes)["up"]
    for place in range(32):  # place 5 of the large map is place 2 of the small one, which sees pixels 3 to 5
        left, _, right, _ = found.box(place, place)
        assert left <= 2 * (place // 2) - 1
        assert right >= 2 * (place // 2) + 2


@pytest.mark.parametrize("case", ["plain", "dilated", "pooled", "turned"])
def test_the_field_is_what_changes_the_middle(case: str, tmp_path: Path) -> None:
    """Each pixel is changed in turn: those that move the middle of the map reach exactly as far as its box."""
    onnx = pytest.importorskip("onnx")
    from edgecnn.trust.inside.onnx_inside import OnnxInside
    from tests.trust.inside.networks import save_onnx

    node = onnx.helper.make_node
    square = {"kernel_shape": [3, 3]}
    second = {
        "plain": node("Conv", ["a", "w"], ["b"], **square, strides=[2, 2], pads=[1, 1, 1, 1]),
        "dilated": node("Conv", ["a", "w"], ["b"], **square, dilations=[2, 2], pads=[2, 2, 2, 2]),
        "pooled": node("AveragePool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
        "turned": node("ConvTranspose", ["a", "w"], ["b"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    }[case]
    first = node("Conv", ["image", "v"], ["a"], **square, strides=[2, 2], pads=[1, 1, 1, 1])
    ones = {"v": np.ones((1, 1, 3, 3), np.float32), "w": np.ones((1, 1, 3, 3), np.float32)}
    nodes = [first, second, node("GlobalAveragePool", ["b"], ["out"])]
    path = save_onnx(tmp_path / "net.onnx", nodes, ones, (1, 1, 17, 17), (1, 1, 1, 1), "out")
    feeds = {"image": np.zeros((1, 1, 17, 17), np.float32)}
    inside = OnnxInside(path, feeds)
    field = receptive_fields(inside.nodes, {"image": (1, 1, 17, 17)}, (17, 17))["b"]
    row, column = field.places[0] // 2, field.places[1] // 2
    moved = np.zeros((17, 17), bool)
    for y in range(17):
        for x in range(17):
            changed = feeds["image"].copy()
            changed[0, 0, y, x] = 1
            moved[y, x] = inside.run({"image": changed}, ["b"])["b"][0, 0, row, column] != 0
    left, top, right, bottom = field.box(row, column)
    rows, columns = np.flatnonzero(moved.any(1)), np.flatnonzero(moved.any(0))
    extent = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    if case == "turned":  # not each place of a transposed convolution reads as much as the field says
        assert extent[0] >= left and extent[1] >= top and extent[2] <= right and extent[3] <= bottom  # noqa: PT018
        assert extent[2] - extent[0] >= (right - left) / 2
    else:
        assert extent == (left, top, right, bottom)
