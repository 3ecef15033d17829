"""Weights of an ONNX file that share one scale although their channels differ in size: small channels keep only a few codes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgecnn.integrity.protobuf import VARINT, fields, read_varint
from edgecnn.integrity.sections import BrokenFileError
from edgecnn.runtime.model.output_ranges import node_texts, onnx_number
from edgecnn.types import Array

FEW_CODES = 4  # a channel whose largest weight is that many steps has 9 different weights at most
_GRAPH, _NODE, _TENSOR = 7, 1, 5
_INT8, _UINT8 = 3, 2


class StarvedWeights(NamedTuple):
    """``layers``: weights with one scale for all channels; ``starved``: those where a tenth of the channels or more have few codes.

    ``worst``: the largest share of such channels in one layer.
    """

    layers: int
    starved: int
    worst: float


def starved_weights(path: Path) -> StarvedWeights:
    """The weights of an ONNX file with one scale for several channels; none for files of other formats and files that can't be read."""
    if path.suffix.lower() != ".onnx":
        return StarvedWeights(0, 0, 0.0)
    try:
        shares = [_starved_share(codes) for codes in _joint_weights(path.read_bytes())]
    except (OSError, BrokenFileError, StopIteration, IndexError, ValueError):
        return StarvedWeights(0, 0, 0.0)
    return StarvedWeights(len(shares), sum(share >= 0.1 for share in shares), max(shares, default=0.0))


def _starved_share(codes: Array) -> float:
    """The share of channels, the first axis, whose largest weight has few codes; channels of zeros count for nothing."""
    largest = np.abs(codes.reshape(len(codes), -1).astype(np.int32)).max(1)
    return float(((largest > 0) & (largest <= FEW_CODES)).mean())


def _joint_weights(data: bytes) -> list[Array]:
    """The codes of convolution weights (at least three axes) that a DequantizeLinear with one scale reads, without their zero-point."""
    _, _, start, end = next(field for field in fields(data) if field[0] == _GRAPH)
    tensors: dict[str, tuple[int, int]] = {}
    reads: list[list[str]] = []
    for number, _, begin, stop in fields(data, start, end):
        if number == _TENSOR:
            tensors |= dict.fromkeys(node_texts(data, begin, stop, 8), (begin, stop))
        elif number == _NODE and node_texts(data, begin, stop, 4) == ["DequantizeLinear"]:
            reads.append(node_texts(data, begin, stop, 1))
    found = []
    for inputs in reads:
        if inputs[0] not in tensors or onnx_number(data, tensors.get(inputs[1])) is None:
            continue  # not a weight, or one with a scale for each channel
        codes = _codes(data, *tensors[inputs[0]])
        zero = onnx_number(data, tensors.get(inputs[2])) if len(inputs) > 2 else None
        if codes is not None and codes.ndim >= 3 and len(codes) > 1:
            found.append(codes.astype(np.int32) - int(zero[0] if zero else 0))
    return found


def _codes(data: bytes, start: int, end: int) -> Array | None:
    """A tensor of 8-bit integers; None for another type."""
    shape: list[int] = []
    kind, raw = 0, b""
    for number, begin, content, stop in fields(data, start, end):
        if number == 1 and data[begin] & 7 == VARINT:
            shape.append(read_varint(data, content)[0])
        elif number == 1:  # packed
            place = content
            while place < stop:
                size, place = read_varint(data, place)
                shape.append(size)
        elif number == 2:
            kind = read_varint(data, content)[0]
        elif number == 9:
            raw = data[content:stop]
    if kind not in (_INT8, _UINT8) or not raw:
        return None
    return np.frombuffer(raw, np.int8 if kind == _INT8 else np.uint8).reshape(shape)
