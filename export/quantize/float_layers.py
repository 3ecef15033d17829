"""Keeps layers of a QDQ graph in float where ONNX Runtime would make them int8 on its own.

Its optimizer rounds the float weights of a convolution or Gemm between quantized tensors to int8, with one scale for all channels
(``WeightBiasQuantization``, ONNX Runtime 1.20 and later), and a layer that was left in float loses more than in int8 per channel.
It leaves alone what has a bias that is computed, so the bias of such a layer becomes the result of a DequantizeLinear, exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDED_BY_ENGINE = ("Conv", "ConvTranspose", "Gemm")


def keep_float_layers(graph: Any) -> None:
    """Change the biases of float layers with quantized inputs in a QDQ ``graph``; the values stay exactly the same."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    quantized = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    made = []
    for node in graph.node:
        if node.op_type not in ROUNDED_BY_ENGINE or node.input[0] not in quantized or node.input[1] not in constants:
            continue
        weights = constants[node.input[1]]
        bias = constants.get(node.input[2]) if len(node.input) > 2 else None
        values = np.zeros(_outputs(node, weights), np.float32) if bias is None else numpy_helper.to_array(bias)
        if values.ndim != 1 or values.dtype != np.float32:
            continue
        made.append(_as_codes(graph, values, f"{node.output[0]}.bias"))
        node.input[:] = [*node.input[:2], made[-1].output[0]]
    nodes = [*made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _outputs(node: Any, weights: Any) -> int:
    """The number of output channels."""
    given = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "Gemm":
        return int(weights.dims[0 if given.get("transB") else 1])
    return int(weights.dims[1] * given.get("group", 1) if node.op_type == "ConvTranspose" else weights.dims[0])


def _as_codes(graph: Any, values: Any, name: str) -> Any:
    """A DequantizeLinear that makes ``values``: codes of -1, 0 and 1, and the absolute values as scales."""
    from onnx import helper, numpy_helper

    scales = np.where(values == 0, np.float32(1), np.abs(values))
    for end, array in (("codes", np.sign(values).astype(np.int32)), ("scales", scales)):
        graph.initializer.append(numpy_helper.from_array(array, f"{name}.{end}"))
    return helper.make_node("DequantizeLinear", [f"{name}.codes", f"{name}.scales"], [name], axis=0)
