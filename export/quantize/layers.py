"""The layers of a network, found again in each format by their weights, and the operators that belong to a layer.

Converters rename, merge and reorder operators, but keep the weights. A layer is one weight tensor with every operator that reads it; the
activations, sums and other operators behind it belong to it, too, so that leaving a layer in float leaves no rounding of its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgecnn.types import Array

MOST_BINS = 64  # of a distribution of distances, see ``_is_arithmetic``
CLOSE = 1e-3  # relative difference of two fingerprints of the same weights; float arithmetic of folding differs by about 1e-6
ONNX_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
TFLITE_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
OPENVINO_LAYERS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")


@dataclass(frozen=True, slots=True, eq=False)
class LayerOperator:
    """One operator of a graph, by the names of its tensors; ``weights`` are those of a layer, ``weights_name`` their name.

    ``is_layer`` is also true for a product of two tensors, which has no weights.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_layer: bool = False
    weights: Array | None = None
    weights_name: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer by its name in PyTorch, and what its weights have in every format: their number and mean, root mean square and peak."""

    name: str
    size: int
    norms: tuple[float, ...]

    def distance(self, weights: Array) -> float:
        """Relative difference of the norms; infinite for another number of weights."""
        if weights.size != self.size:
            return float("inf")
        pairs = zip(self.norms, _norms(weights), strict=True)
        return max(abs(mine - other) / max(abs(mine), 1e-12) for mine, other in pairs)


def _norms(weights: Array) -> tuple[float, ...]:
    values = np.abs(weights.astype(np.float64))
    return float(values.mean()), float(np.sqrt((values**2).mean())), float(values.max())


def layers_of(operators: Iterable[LayerOperator]) -> tuple[Layer, ...]:
    """The layers of a graph in its order; operators that share their weights are one."""
    found: dict[str, Layer] = {}
    for operator in operators:
        if operator.weights is not None and operator.weights_name not in found:
            name = operator.weights_name.removeprefix("model.").removesuffix(".weight")
            found[operator.weights_name] = Layer(name, operator.weights.size, _norms(operator.weights))
    return tuple(found.values())


def operators_by_layer(operators: Sequence[LayerOperator], layers: Sequence[Layer]) -> dict[str, list[str]]:
    """Names of the operators of each layer, by its name; ``operators`` are in the order of execution.

    Operators in front of the first layer belong to none.
    """
    named = _matched(operators, layers)
    places = {layer.name: index for index, layer in enumerate(layers)}
    owner: dict[str, str] = {}  # of a tensor
    found: dict[str, list[str]] = {layer.name: [] for layer in layers}
    for operator in operators:
        before = [owner[name] for name in operator.inputs if name in owner]
        # behind several layers: of the last one
        mine = named.get(operator.name) or max(before, key=places.__getitem__, default=None)
        if mine is not None:
            found[mine].append(operator.name)
            owner |= dict.fromkeys(operator.outputs, mine)
    return found


def _matched(operators: Sequence[LayerOperator], layers: Sequence[Layer]) -> dict[str, str]:
    """The layer of each operator with weights, by the nearest weights; what no weights fit by order among those of its size."""
    named: dict[str, str] = {}
    left = []
    for operator in operators:
        if operator.weights is None or not layers:
            continue
        weights = operator.weights
        nearest = min(layers, key=lambda layer: layer.distance(weights))
        if nearest.distance(weights) <= CLOSE:
            named[operator.name] = nearest.name
        else:
            left.append(operator)
    free = [layer for layer in layers if layer.name not in named.values()]
    for operator in left:
        assert operator.weights is not None
        same_size = next((layer for layer in free if layer.size == operator.weights.size), None)
        if same_size is not None:
            named[operator.name] = same_size.name
            free.remove(same_size)
    return named


def onnx_operators(graph: Any) -> list[LayerOperator]:
    """The operators of an ONNX graph; each is named by its first output, because nodes need no name."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}

    def operator(node: Any) -> LayerOperator:
        weights = next((name for name in node.input[:2] if name in constants), None) if node.op_type in ONNX_LAYERS else None
        values = None if weights is None else numpy_helper.to_array(constants[weights])
        operator = LayerOperator(node.output[0], node.op_type, tuple(node.input), tuple(node.output))
        return _with_weights(operator, ONNX_LAYERS, values, weights or "")

    return [operator(node) for node in graph.node]


def openvino_operators(model: Any) -> list[LayerOperator]:
    """The operators of an ``openvino.Model``, by friendly name, which must be unique."""
    found = []
    for node in model.get_ordered_ops():
        kind, name = node.get_type_name(), node.get_friendly_name()
        if kind in ("Constant", "Parameter", "Result"):  # constants belong to the operators that read them
            continue
        inputs = tuple(value.get_node().get_friendly_name() for value in node.input_values())
        weights = _openvino_weights(node) if kind in OPENVINO_LAYERS else None
        found.append(_with_weights(LayerOperator(name, kind, inputs, (name,)), OPENVINO_LAYERS, weights, name))
    return found


def _openvino_weights(node: Any) -> Array | None:
    for value in node.input_values():
        source = value.get_node()
        # stored in another type, or reshaped for groups: the constant is behind one operator
        source = source.input_value(0).get_node() if source.get_type_name() in ("Convert", "Reshape") else source
        if source.get_type_name() == "Constant":
            data: Array = source.data
            return data
    return None


def tflite_operators(program: bytes) -> list[LayerOperator]:
    """The operators of a flatbuffer's first graph, each named by its first output."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]

    def values(index: int) -> Array | None:
        data = model.buffers[graph.tensors[index].buffer].data
        return None if data is None or not len(data) else np.frombuffer(bytes(data), np.float32)

    def operator(node: Any) -> LayerOperator:
        kind = flatbuffer_utils.opcode_to_name(model, node.opcodeIndex)
        weights = values(node.inputs[1]) if kind in TFLITE_LAYERS else None
        inputs, outputs = (tuple(names[index] for index in ends if index >= 0) for ends in (node.inputs, node.outputs))
        of = "" if weights is None else inputs[1]
        return _with_weights(LayerOperator(outputs[0], kind, inputs, outputs), TFLITE_LAYERS, weights, of)

    return [operator(node) for node in graph.operators]


def inner_operators(program: bytes) -> list[str]:
    """Names of the operators in the graphs that operators of a flatbuffer call, such as the sum of a reduction over windows.

    No ranges are measured there.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    return [graph.tensors[node.outputs[0]].name.decode() for graph in model.subgraphs[1:] for node in graph.operators]


def _with_weights(operator: LayerOperator, layers: Sequence[str], weights: Array | None, of: str) -> LayerOperator:
    """``operator``, as a layer where it is of the kinds ``layers`` and no arithmetic."""
    if operator.kind not in layers or (weights is not None and _is_arithmetic(weights)):
        return operator
    return (
        replace(operator, is_layer=True)
        if weights is None
        else replace(operator, is_layer=True, weights=weights, weights_name=of)
    )


def _is_arithmetic(weights: Array) -> bool:
    """Whether the weights rise evenly, as 0, 1, ... 15 do: they compute the expected value of a distribution of distances.

    Distribution focal loss, arXiv:2006.04388, section 3.3: detectors from GFL on, such as NanoDet and YOLOv8, decode boxes so.
    """
    if not 1 < weights.size <= MOST_BINS or weights.dtype.kind != "f":
        return False
    steps = np.diff(weights.astype(np.float64).reshape(-1))
    return bool(steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-2))
