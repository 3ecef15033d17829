"""Nodes of an ONNX file, read from its bytes, so that no package is needed. Numbers of fields: onnx.proto of ONNX 1.17."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn.integrity.protobuf import VARINT, bytes_field, fields, read_varint
from edgecnn.runtime.model.output_ranges import node_texts

GRAPH, NODE, INITIALIZER, INPUT, OUTPUT = 7, 1, 5, 11, 12  # of ModelProto and GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 4, 5
_TENSOR_NAME, _TENSOR_DIMS, _VALUE_NAME = 8, 1, 1
_NAME, _INTEGER, _TEXT, _INTEGERS = 1, 3, 4, 8  # of AttributeProto


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """A node: operator, names of its inputs ("" for one that is left out) and outputs, attributes that are integers or text."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: Mapping[str, tuple[int, ...]]
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OnnxParts:
    """The graph of a file: nodes in order, names of inputs (without constants) and outputs, shapes of the constants by name,
    and where these are in the bytes of the file.
    """

    nodes: tuple[OnnxNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, tuple[int, ...]]
    places: Mapping[str, tuple[int, int]]


def read_parts(data: bytes) -> OnnxParts:
    """The graph of the bytes of an ONNX file. Raises ``BrokenFileError``, and ``StopIteration`` for a file without a graph."""
    _, _, start, end = next(field for field in fields(data) if field[0] == GRAPH)
    nodes: list[OnnxNode] = []
    inputs: list[str] = []
    outputs: list[str] = []
    constants: dict[str, tuple[int, ...]] = {}
    places: dict[str, tuple[int, int]] = {}
    for number, _, begin, stop in fields(data, start, end):
        if number == NODE:
            nodes.append(_node(data, begin, stop))
        elif number == INITIALIZER:
            name = "".join(node_texts(data, begin, stop, _TENSOR_NAME))
            constants[name], places[name] = _integers(data, begin, stop, _TENSOR_DIMS), (begin, stop)
        elif number in (INPUT, OUTPUT):
            (inputs if number == INPUT else outputs).extend(node_texts(data, begin, stop, _VALUE_NAME))
    return OnnxParts(tuple(nodes), tuple(name for name in inputs if name not in constants), tuple(outputs), constants, places)


def with_outputs(data: bytes, names: Sequence[str]) -> bytes:
    """The bytes of an ONNX file that gives these tensors, too; they must not be outputs already."""
    # a field of a message that occurs twice is merged: these outputs are added to those of the graph
    outputs = b"".join(bytes_field(OUTPUT, bytes_field(_VALUE_NAME, name.encode())) for name in names)
    return data + bytes_field(GRAPH, outputs)


def _node(data: bytes, start: int, end: int) -> OnnxNode:
    integers: dict[str, tuple[int, ...]] = {}
    texts: dict[str, str] = {}
    for number, _, begin, stop in fields(data, start, end):
        if number == _NODE_ATTRIBUTE:
            name = "".join(node_texts(data, begin, stop, _NAME))
            text = node_texts(data, begin, stop, _TEXT)
            if text:
                texts[name] = text[0]
            found = _integers(data, begin, stop, _INTEGERS) or _integers(data, begin, stop, _INTEGER)
            if found:
                integers[name] = found
    return OnnxNode(
        "".join(node_texts(data, start, end, _NODE_OPERATOR)),
        tuple(node_texts(data, start, end, _NODE_INPUT)),
        tuple(node_texts(data, start, end, _NODE_OUTPUT)),
        integers,
        texts,
    )


def _integers(data: bytes, start: int, end: int, wanted: int) -> tuple[int, ...]:
    """The numbers of a field that may be repeated, each by itself or all together (packed)."""
    found: list[int] = []
    for number, begin, content, stop in fields(data, start, end):
        if number != wanted:
            continue
        if data[begin] & 7 == VARINT:
            found.append(_signed(read_varint(data, content)[0]))
            continue
        place = content
        while place < stop:
            value, place = read_varint(data, place)
            found.append(_signed(value))
    return tuple(found)


def _signed(value: int) -> int:
    return int(struct.unpack("<q", struct.pack("<Q", value & (1 << 64) - 1))[0])
