"""A PyTorch network from an ONNX file of other people, so that published weights can be exported again.

``EDGECNN_ONNX_FILE=yolox_nano.onnx edgecnn export edgecnn.benchmarks.figures.onnx_network:network --task detect ...``

It knows the operators of small CNNs with fixed shapes, and is no general converter: what it does not know is refused by name.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgecnn.errors import InputError

VARIABLE = "EDGECNN_ONNX_FILE"
Attributes = Mapping[str, Any]
Values = Sequence[Any]  # tensors, and constants as NumPy arrays


def network() -> nn.Module:
    """The network of the file that ``EDGECNN_ONNX_FILE`` names; raises ``InputError`` where it can't be made."""
    path = os.environ.get(VARIABLE, "")
    if not Path(path).is_file():
        raise InputError(f"{VARIABLE} names no file", f"set {VARIABLE} to an ONNX file")
    return OnnxNetwork(Path(path)).eval()


class OnnxNetwork(nn.Module):
    """Runs the operators of an ONNX graph one after the other; convolutions and matrices are layers with weights.

    Takes the graph's input tensor and returns its output tensor, or a tuple of several. Raises ``InputError`` for an operator that it does
    not know.
    """

    def __init__(self, path: Path) -> None:
        import onnx

        super().__init__()
        graph = onnx.load(path).graph
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor).copy() for tensor in graph.initializer}
        self.layers = nn.ModuleDict()
        self.steps: list[tuple[str, list[str], list[str], Attributes]] = []
        for node in graph.node:
            given = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            if node.op_type == "Constant":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(given["value"]).copy()
                continue
            self._add(node.op_type, list(node.input), list(node.output), given)
        self.image = next(port.name for port in graph.input if port.name not in self.constants)
        self.results = [port.name for port in graph.output]

    def _add(self, kind: str, inputs: list[str], outputs: list[str], given: Attributes) -> None:
        weights = [self.constants.get(name) for name in inputs[1:]]
        if kind in LAYERS and weights and weights[0] is not None:
            name = f"{kind.lower()}{len(self.layers)}"
            self.layers[name] = LAYERS[kind](weights, given)
            kind, inputs = name, inputs[:1]
        elif kind not in OPERATORS:
            raise _unknown(kind)
        self.steps.append((kind, inputs, outputs, given))

    def forward(self, image: Tensor) -> Any:
        """The outputs of the graph for ``image``, in the layout of the file."""
        values: dict[str, Any] = {self.image: image}
        for kind, inputs, outputs, given in self.steps:
            read = [values[name] if name in values else self.constants.get(name) for name in inputs]
            made = self.layers[kind](read[0]) if kind in self.layers else OPERATORS[kind](read, given)
            values |= zip(outputs, made if isinstance(made, tuple) else (made,), strict=False)
        results = tuple(values[name] for name in self.results)
        return results[0] if len(results) == 1 else results


def _unknown(kind: str) -> InputError:
    return InputError(f"the ONNX operator {kind} is not known here", "add it to edgecnn.benchmarks.figures.onnx_network")


def _convolution(weights: Values, given: Attributes) -> nn.Module:
    kernel, groups = weights[0], given.get("group", 1)
    layer = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        kernel.shape[2:],
        tuple(given.get("strides", (1, 1))),
        dilation=tuple(given.get("dilations", (1, 1))),
        groups=groups,
        bias=len(weights) > 1,
    )
    pads = given.get("pads", (0, 0, 0, 0))
    if list(pads[:2]) == list(pads[2:]):
        layer.padding = tuple(pads[:2])
        return _filled(layer, kernel, weights[1:])
    return nn.Sequential(nn.ZeroPad2d((pads[1], pads[3], pads[0], pads[2])), _filled(layer, kernel, weights[1:]))


def _matrix(weights: Values, given: Attributes) -> nn.Module:
    matrix = weights[0] if given.get("transB") else weights[0].T
    return _filled(nn.Linear(matrix.shape[1], matrix.shape[0], bias=len(weights) > 1), matrix, weights[1:])


def _filled(layer: Any, weights: Any, bias: Values) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        if bias:
            layer.bias.copy_(torch.from_numpy(bias[0]))
    return layer  # type: ignore[no-any-return]


def _batch_norm(weights: Values, given: Attributes) -> nn.Module:
    layer = nn.BatchNorm2d(len(weights[0]), eps=given.get("epsilon", 1e-5))
    with torch.no_grad():
        for target, source in zip((layer.weight, layer.bias, layer.running_mean, layer.running_var), weights, strict=True):
            target.copy_(torch.from_numpy(source))  # type: ignore[union-attr]
    return layer


def _binary(function: Callable[[Any, Any], Any], read: Values, given: Attributes) -> Any:
    return function(*(torch.from_numpy(one) if isinstance(one, np.ndarray) else one for one in read))


def _window(kind: str, given: Attributes) -> tuple[Any, Any, Any]:
    """Kernel, strides and pads of a pool."""
    pads = list(given.get("pads", (0, 0, 0, 0)))
    plain = (
        given.get("auto_pad", b"NOTSET") == b"NOTSET" and set(given.get("dilations", (1,))) == {1} and not given.get("ceil_mode")
    )
    if pads[:2] != pads[2:] or not plain:
        raise _unknown(f"{kind} with different pads, auto_pad, ceil_mode or dilations")
    return given["kernel_shape"], given.get("strides", (1, 1)), pads[:2]


def _pooled(read: Values, given: Attributes) -> Tensor:
    return F.max_pool2d(read[0], *_window("MaxPool", given))


def _averaged(read: Values, given: Attributes) -> Tensor:
    window = _window("AveragePool", given)
    return F.avg_pool2d(read[0], *window, count_include_pad=bool(given.get("count_include_pad", 0)))


def _resized(read: Values, given: Attributes) -> Tensor:
    places = given.get("coordinate_transformation_mode", b"half_pixel"), given.get("nearest_mode", b"round_prefer_floor")
    if given.get("mode", b"nearest") != b"nearest" or len(read) < 3 or read[2] is None or not len(read[2]):
        raise _unknown("Resize other than nearest by factors")
    factors = [float(one) for one in np.asarray(read[2])[2:]]
    # PyTorch takes the floor of the asymmetric place; for whole factors the usual half-pixel rule gives the same pixels
    if places != (b"asymmetric", b"floor") and not all(one >= 1 and one.is_integer() for one in factors):
        raise _unknown("Resize by these factors and places")
    return F.interpolate(read[0], scale_factor=factors, mode="nearest")


def _sliced(read: Values, given: Attributes) -> Any:
    data, starts, ends, axes, *rest = read
    steps = rest[0] if rest else np.ones(len(axes), np.int64)
    where = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where[int(axis)] = slice(int(start), min(int(end), 1 << 30), int(step))
    return data[tuple(where)]


def _reshaped(read: Values, given: Attributes) -> Tensor:
    data, shape = read
    result: Tensor = data.reshape([data.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape)])
    return result


def _squeezed(read: Values, given: Attributes) -> Tensor:
    result: Tensor = read[0].squeeze(tuple(int(axis) for axis in given.get("axes", read[1] if len(read) > 1 else ())))
    return result


def _hard_sigmoid(read: Values, given: Attributes) -> Tensor:
    slope, middle = given.get("alpha", 0.2), given.get("beta", 0.5)
    if abs(slope - 1 / 6) < 1e-3 and middle == 0.5:
        return F.hardsigmoid(read[0])
    result: Tensor = (read[0] * slope + middle).clamp(0, 1)
    return result


def _clipped(read: Values, given: Attributes) -> Tensor:
    low, high = (
        given.get(key, None if len(read) <= place or read[place] is None else float(read[place]))
        for key, place in (("min", 1), ("max", 2))
    )
    if (low, high) == (0.0, 6.0):
        return F.relu6(read[0])
    result: Tensor = read[0].clamp(low, high)
    return result


LAYERS: Mapping[str, Callable[[Values, Attributes], nn.Module]] = {
    "Conv": _convolution,
    "Gemm": _matrix,
    "MatMul": _matrix,
    "BatchNormalization": _batch_norm,
}
OPERATORS: Mapping[str, Callable[[Values, Attributes], Any]] = {
    "Add": partial(_binary, operator.add),
    "AveragePool": _averaged,
    "Clip": _clipped,
    "Concat": lambda read, given: torch.cat(list(read), given["axis"]),
    "Div": partial(_binary, operator.truediv),
    "Flatten": lambda read, given: read[0].flatten(given.get("axis", 1)),
    "GlobalAveragePool": lambda read, given: F.adaptive_avg_pool2d(read[0], 1),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda read, given: F.hardswish(read[0]),
    "Identity": lambda read, given: read[0],
    "MaxPool": _pooled,
    "Mul": partial(_binary, operator.mul),
    "Relu": lambda read, given: F.relu(read[0]),
    "Reshape": _reshaped,
    "Resize": _resized,
    "Sigmoid": lambda read, given: torch.sigmoid(read[0]),
    "Slice": _sliced,
    "Softmax": lambda read, given: torch.softmax(read[0], given.get("axis", -1)),
    "Squeeze": _squeezed,
    "Sub": partial(_binary, operator.sub),
    "Transpose": lambda read, given: read[0].permute(given["perm"]),
}
