"""A tiny CNN with the same weights in each format, so that what is read inside must be the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.runtime.model.card_inference import CardOptions
from tests.contracts.tiny import _Flat

Array = np.ndarray[Any, Any]

SIDE, CLASSES = 16, 2
OPTIONS = CardOptions(color="rgb", mean=(0.0,), std=(255.0,), labels=Path("a,b"), task="classify")
KINDS = ("onnx", "openvino", "tflite")


def weights() -> dict[str, Array]:
    """first: 3 to 4 maps, stride 2; depth: each map by itself; mix: 1 x 1; more: 3 x 3, added to mix; head: 2 classes."""
    random = np.random.default_rng(3)
    shapes = {"first": (4, 3, 3, 3), "depth": (4, 1, 3, 3), "mix": (6, 4, 1, 1), "more": (6, 6, 3, 3), "head": (CLASSES, 6)}
    return {name: random.normal(0.1, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def image(seed: int = 0, side: int = SIDE) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


def write_network(folder: Path, kind: str) -> Path:
    """The network in a file of ``folder``; the test is skipped where its engine is not installed."""
    if kind == "tflite":
        return _write_tflite(folder / "net.tflite")
    path = _write_onnx(folder / "net.onnx")
    if kind == "onnx":
        return path
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.Core().read_model(path), folder / "net.xml", compress_to_fp16=False)
    return folder / "net.xml"


def _write_onnx(path: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    node, own = onnx.helper.make_node, weights()
    nodes = [
        node("Conv", ["image", "first"], ["first_out"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["first_out"], ["first_relu"]),
        node("Conv", ["first_relu", "depth"], ["depth_out"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=4),
        node("Relu", ["depth_out"], ["depth_relu"]),
        node("MaxPool", ["depth_relu"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["pooled", "mix"], ["mixed"], kernel_shape=[1, 1]),
        node("Conv", ["mixed", "more"], ["more_out"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Add", ["mixed", "more_out"], ["total"]),
        node("Relu", ["total"], ["total_relu"]),
        node("GlobalAveragePool", ["total_relu"], ["mean"]),
        node("Flatten", ["mean"], ["flat"]),
        node("Gemm", ["flat", "head"], ["scores"], transB=1),
    ]
    return save_onnx(path, nodes, own, (1, 3, SIDE, SIDE), (1, CLASSES), "scores")


def save_onnx(
    path: Path, nodes: list[Any], constants: dict[str, Array], shape: tuple[int, ...], out: tuple[Any, ...], output: str
) -> Path:
    """An ONNX file of these nodes, from "image" to ``output``."""
    onnx = pytest.importorskip("onnx")
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [info("image", onnx.TensorProto.FLOAT, shape)],
        [info(output, onnx.TensorProto.FLOAT, out)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def _write_tflite(path: Path) -> Path:
    flat = _Flat()
    own = weights()

    def constant(name: str, array: Array) -> int:
        return flat.tensor(name, array.shape, array.dtype.name, array)

    def made(name: str, size: int, channels: int) -> int:
        return flat.tensor(name, (1, size, size, channels), "float32")

    def operator(kind: str, inputs: list[int], output: int, options: str, **values: int) -> int:
        flat.operator(kind, inputs, [output], options)
        for key, value in values.items():
            setattr(flat.operators[-1].builtinOptions, key, value)
        return output

    def convolution(kind: str, source: int, name: str, output: int, **values: int) -> int:
        depthwise = kind == "DEPTHWISE_CONV_2D"
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        array = np.ascontiguousarray(own[name].transpose(order))
        bias = constant(f"{name}/bias", np.zeros(len(own[name]), np.float32))
        options = {"strideH": 1, "strideW": 1, "padding": 1, **values, **({"depthMultiplier": 1} if depthwise else {})}
        inputs = [source, constant(name, array), bias]
        return operator(kind, inputs, output, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", **options)

    image = made("image", SIDE, 3)
    around = constant("around", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    padded = operator("PAD", [image, around], made("padded", SIDE + 2, 3), "PadOptions")
    first = convolution("CONV_2D", padded, "first", made("first_relu", 8, 4), strideH=2, strideW=2, fusedActivationFunction=1)
    depth = convolution("DEPTHWISE_CONV_2D", first, "depth", made("depth_relu", 8, 4), padding=0, fusedActivationFunction=1)
    pooled = operator(
        "MAX_POOL_2D",
        [depth],
        made("pooled", 4, 4),
        "Pool2DOptions",
        padding=1,
        strideH=2,
        strideW=2,
        filterHeight=2,
        filterWidth=2,
    )
    mixed = convolution("CONV_2D", pooled, "mix", made("mixed", 4, 6))
    more = convolution("CONV_2D", mixed, "more", made("more_out", 4, 6), padding=0)
    total = operator("ADD", [mixed, more], made("total_relu", 4, 6), "AddOptions", fusedActivationFunction=1)
    axes = constant("axes", np.array([1, 2], np.int32))
    mean = operator("MEAN", [total, axes], flat.tensor("mean", (1, 6), "float32"), "ReducerOptions")
    scores = flat.tensor("scores", (1, CLASSES), "float32")
    bias = constant("head/bias", np.zeros(CLASSES, np.float32))
    operator("FULLY_CONNECTED", [mean, constant("head", own["head"]), bias], scores, "FullyConnectedOptions")
    path.write_bytes(flat.pack([image], [scores]))
    return path
