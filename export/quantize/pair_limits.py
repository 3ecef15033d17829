"""int8 weights whose sums no x86 processor saturates.

x86 without VNNI multiplies uint8 activations by int8 weights with an instruction that adds two neighbouring products in 16 bits and
saturates (VPMADDUBSW): 255 * 100 + 255 * 100 does not fit. Two weights of one sign fit where their codes add up to at most 128.
Weights are rounded to codes within this limit, each channel with the scale that leaves the smallest squared error. Depthwise
convolutions need no limit: they are computed in 32 bits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from edgecnn.types import Array

MOST = 127  # the largest code of a symmetric int8 weight
PAIR = 128  # the largest sum of two codes of one sign: 255 * 128 fits in 16 bits
STEPS = (1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2)  # scales as multiples of the finest; at 2 no pair exceeds the limit
RECORD = {"weights": "int8, limited so that x86 without VNNI computes exact sums"}  # in the card
RECORD_UNSIGNED = {"weights": "int8; uint8 where x86 without VNNI would saturate sums"}


def limit_weights(model: Any, float_nodes: Collection[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Change the weights of a float ONNX graph to multiples of int8 scales within the limit.

    Returns the range of each channel (ONNX Runtime's ``TensorQuantOverrides``), from which the quantizer computes the same scales.
    ``float_nodes`` names the nodes that will not be quantized and keep their weights.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    ranges: dict[str, list[dict[str, Any]]] = {}
    for node in model.graph.node:
        if node.name in float_nodes or not _has_pairs(node, constants) or node.input[1] in ranges:
            continue
        tensor = constants[node.input[1]]
        weights = numpy_helper.to_array(tensor)
        axis = _channel_axis(node, weights.ndim)
        codes, scales = limited(_products(weights, axis))
        rounded = (codes * scales[:, None, None]).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(_weights(rounded, weights.shape, axis), tensor.name))
        ranges[tensor.name] = [{"axis": axis, "rmin": -end, "rmax": end} for end in np.float32(scales * MOST)]
    return ranges


def saturating(model: Any) -> list[str]:
    """The names of weights in a QDQ graph with which x86 without VNNI may saturate; empty where every sum is exact."""
    return [node.input[0] for node in _saturating(model)]


def make_unsigned(model: Any) -> Any:
    """``model``, a QDQ graph, changed: weights that may saturate as uint8 with zero-point 128, the same values.

    x86 multiplies uint8 by uint8 in 32 bits, in up to 1.8 times the time. For weights that must keep their codes.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in _saturating(model):
        codes, scale = constants[node.input[0]], numpy_helper.to_array(constants[node.input[1]])
        unsigned = (numpy_helper.to_array(codes).astype(np.int16) + 128).astype(np.uint8)
        codes.CopyFrom(numpy_helper.from_array(unsigned, codes.name))
        zero_point = numpy_helper.from_array(np.full_like(scale, 128, np.uint8), f"{codes.name}.zero_point")
        model.graph.initializer.append(zero_point)
        node.input[:] = [*node.input[:2], zero_point.name]
    return model


def _saturating(model: Any) -> list[Any]:
    """The DequantizeLinear nodes of int8 weights with pairs above the limit."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    stored = {
        node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    shapes = {name: constants[node.input[0]] for name, node in stored.items()}
    found = {}
    for node in model.graph.node:
        if not _has_pairs(node, shapes):
            continue
        codes = numpy_helper.to_array(shapes[node.input[1]])
        if codes.dtype == np.int8 and _is_above(_products(codes, _channel_axis(node, codes.ndim)).astype(np.float32)):
            found[node.input[1]] = stored[node.input[1]]
    return list(found.values())


def limited(weights: Array) -> tuple[Array, Array]:
    """Codes and the scale of each channel for weights (channels, taps, inputs), float32; all codes 0 have the scale 0.

    Of ``STEPS``, each channel gets the scale with the smallest squared error after rounding and limiting.
    """
    finest = np.abs(weights).max((1, 2)) / MOST
    scales, codes, least = finest.copy(), np.zeros_like(weights), np.full(len(weights), np.inf)
    for step in STEPS:
        trial = np.where(finest > 0, finest * step, 1.0)[:, None, None]
        rounded = _within_limit(weights / trial)
        error = np.square(rounded * trial - weights).sum((1, 2))
        better = error < least
        codes[better], scales[better], least[better] = rounded[better], (finest * step)[better], error[better]
    return codes, scales


def _within_limit(values: Array) -> Array:
    """Codes nearest to ``values`` (channels, taps, inputs), pairs above the limit replaced by the nearest that are not."""
    codes = np.round(values)
    for pairs, wanted in zip(_pairs(codes), _pairs(values), strict=True):
        above = _excess(pairs)
        first, second = np.moveaxis(np.abs(pairs[above]), -1, 0)
        nearest = np.round((np.abs(wanted[above]) @ (1, -1) + PAIR) / 2)
        # never more than before: a code may be in two pairs, and the other one is within the limit already
        first = np.minimum(nearest, first)
        pairs[above] = np.stack([first, np.minimum(PAIR - first, second)], -1) * np.sign(pairs[above])
    return codes


def _pairs(products: Array) -> Iterator[Array]:
    """Views (..., 2) of neighbours in the order in which engines add products (channels, taps, inputs).

    Matrix kernels take all taps as one row, direct kernels start anew at each tap; the same where the number of inputs is even.
    """
    channels, taps, inputs = products.shape
    row = products.reshape(channels, taps * inputs)
    yield row[:, : row.shape[1] // 2 * 2].reshape(channels, -1, 2)
    if inputs % 2:
        yield products[:, :, : inputs - 1].reshape(channels, taps, inputs // 2, 2)


def _excess(pairs: Array) -> Array:
    above: Array = (pairs.prod(-1) > 0) & (np.abs(pairs).sum(-1) > PAIR)
    return above


def _is_above(products: Array) -> bool:
    return any(np.any(_excess(pairs)) for pairs in _pairs(products))


def _has_pairs(node: Any, constants: Mapping[str, Any]) -> bool:
    """Whether the operator multiplies by constant weights and adds the products in pairs."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constants:
        return False
    dims = constants[node.input[1]].dims
    if node.op_type != "Conv":
        return len(dims) == 2
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    is_depthwise = groups > 1 and groups == dims[0] and dims[1] == 1
    return not is_depthwise


def _channel_axis(node: Any, rank: int) -> int:
    if node.op_type == "Conv" or any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        return 0
    return rank - 1


def _products(weights: Array, axis: int) -> Array:
    """Weights as (output channels, taps, inputs), contiguous: (O, I, H, W) of a convolution, or a matrix with its outputs on ``axis``."""
    if weights.ndim == 2:
        return np.ascontiguousarray(np.moveaxis(weights, axis, 0))[:, None]
    return np.ascontiguousarray(np.moveaxis(weights, 1, -1)).reshape(len(weights), -1, weights.shape[1])


def _weights(products: Array, shape: tuple[int, ...], axis: int) -> Array:
    """The inverse of ``_products`` for weights of ``shape``."""
    if len(shape) == 2:
        return np.ascontiguousarray(np.moveaxis(products[:, 0], 0, axis))
    taps_last = products.reshape(shape[0], *shape[2:], shape[1])
    return np.ascontiguousarray(np.moveaxis(taps_last, -1, 1))
