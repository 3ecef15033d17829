"""Scales of TFLite int8 that an engine accepts: of tensors that are always 0, and of layers whose weights are (next to) nothing.

The quantizer gives both a scale near 1e-12. XNNPACK refuses operators whose scales are too far apart, and a bias, whose scale is that of
the input times that of the weights, no longer fits 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.export.quantize.layers import LayerOperator
from edgecnn.types import Array

NOTHING = 1e-9  # a tensor that stays below this is always 0
STEPS = 128  # a tensor of zeros has at least this part of the range of what it is made from
MOST_CODE = 2**30  # of a bias: half of what 32 bits hold is left for the sum
INT8, INT32 = 9, 2  # the types of the schema


def widened(operators: Sequence[LayerOperator], ends: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """A range for each tensor of ``ends`` that is always 0, for example behind a ReLU that never opens.

    0 is exact in any range, so it follows its neighbours: what is made of the tensor, and what it is made from.
    """
    widths = {name: max(high, 0.0) - min(low, 0.0) for name, (low, high) in ends.items()}
    zeros = [name for name, width in widths.items() if width < NOTHING]
    made = {name: operator for operator in operators for name in operator.outputs}
    for name in (
        *reversed(zeros),
        *zeros,
    ):  # from the end, then from the start, so that rows of zeros are reached from both sides
        after = [widths.get(out, 0.0) for operator in operators if name in operator.inputs for out in operator.outputs]
        before = [widths.get(source, 0.0) / STEPS for source in made[name].inputs] if name in made else []
        widths[name] = max(widths[name], *after, *before, 0.0)
    return {name: (0.0, widths[name] if widths[name] >= NOTHING else 1.0) for name in zeros}


@dataclass(frozen=True, slots=True, eq=False)
class _Bias:
    """A quantized bias: its tensor, its float values and the scale of the input that its layer reads."""

    tensor: Any
    real: Array
    of_input: float


def with_fitting_biases(quantized: bytes, program: bytes) -> bytes:
    """``quantized`` with larger scales for weights where a bias did not fit; ``program`` is the float one that it was made from."""
    from ai_edge_litert.tools import flatbuffer_utils

    whole = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    real = {tensor.name: _data(whole, tensor, np.float32) for graph in whole.subgraphs for tensor in graph.tensors}
    model, changed = flatbuffer_utils.read_model_from_bytearray(bytearray(quantized)), False
    for graph in model.subgraphs:
        for weights, biases in _biases(model, graph, real).items():
            changed = _fit(model, graph.tensors[weights], biases) or changed
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if changed else quantized


def _biases(model: Any, graph: Any, real: Mapping[bytes, Array]) -> dict[int, list[_Bias]]:
    """The biases by the index of the weights that set their scale; layers may share weights."""
    found: dict[int, list[_Bias]] = {}
    for operator in graph.operators:
        read = [index for index in operator.inputs if index >= 0 and _is_scaled(graph.tensors[index])]
        small = [index for index in read if graph.tensors[index].type == INT8]
        weights = [index for index in small if _data(model, graph.tensors[index], np.int8).size]
        bias = [graph.tensors[index] for index in read if graph.tensors[index].type == INT32]
        if (len(small), len(weights), len(bias)) == (2, 1, 1) and bias[0].name in real:
            (source,) = set(small) - {*weights}
            of_input = float(graph.tensors[source].quantization.scale[0])
            found.setdefault(weights[0], []).append(_Bias(bias[0], real[bias[0].name], of_input))
    return found


def _is_scaled(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale is not None and len(tensor.quantization.scale) > 0


def _fit(model: Any, weights: Any, biases: Sequence[_Bias]) -> bool:
    """Raise the scales of ``weights`` until the ``biases`` fit; returns whether that was needed."""
    before = np.asarray(weights.quantization.scale, np.float64)
    least = np.max([np.abs(bias.real).astype(np.float64) / (MOST_CODE * bias.of_input) for bias in biases], axis=0)
    scales = np.maximum(before, least if len(before) > 1 else least.max())
    if np.array_equal(scales, before):
        return False
    axis = [-1 if index == weights.quantization.quantizedDimension else 1 for index in range(len(weights.shape))]
    codes = _data(model, weights, np.int8).reshape(weights.shape)
    rounded = np.rint(codes * (before / scales).reshape(axis if len(before) > 1 else -1)).astype(np.int8)
    model.buffers[weights.buffer].data = rounded.reshape(-1).view(np.uint8)
    weights.quantization.scale = scales.astype(np.float32)
    for bias in biases:
        model.buffers[bias.tensor.buffer].data = np.rint(bias.real / (scales * bias.of_input)).astype(np.int32).view(np.uint8)
        bias.tensor.quantization.scale = (scales * bias.of_input).astype(np.float32)
    return True


def _data(model: Any, tensor: Any, dtype: type) -> Array:
    data = model.buffers[tensor.buffer].data
    found: Array = np.empty(0, dtype) if data is None else np.frombuffer(bytes(data), dtype)
    return found
