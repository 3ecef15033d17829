"""ONNX: the texts are entries of ``metadata_props`` at the end of the file, as protobuf allows; the rest is the body.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from edgecnn.integrity.protobuf import bytes_field, fields, file_fields
from edgecnn.integrity.sections import PREFIX, BrokenFileError, Sections, ordered, read_range, size_of

METADATA_PROPS = 14  # of ModelProto
KEY, VALUE = 1, 2  # of StringStringEntryProto
_EXTERNAL_DATA = 13  # of TensorProto
# Fields that hold tensors, from the model down: message -> field -> message
_TENSORS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_MAX_DEPTH = 40


def split(file: BinaryIO) -> Sections:
    """Take a file apart. Raises ``BrokenFileError``."""
    size = size_of(file)
    body: list[tuple[int, int]] = []
    texts: dict[str, bytes] = {}
    for number, start, content, end in file_fields(file, size):
        entry = _entry(read_range(file, content, end)) if number == METADATA_PROPS else None
        if entry is not None:
            texts[entry[0]] = entry[1]
        elif body and body[-1][1] == start:
            body[-1] = (body[-1][0], end)
        else:
            body.append((start, end))
    first = body[-1][1] if body else 0
    canonical = len(body) == 1 and read_range(file, first, size) == _packed(ordered(texts))
    return Sections(tuple(body), texts, canonical)


def join(body: bytes, texts: Mapping[str, bytes]) -> bytes:
    """The bytes of a canonical file."""
    return body + _packed(texts)


def prepared(body: bytes) -> bytes:
    """The same body: the texts follow it."""
    return body


def companions(path: Path, body: bytes | None) -> dict[str, Path]:
    """The files of external data that the body names."""
    return {} if body is None else {name: path.parent / name for name in sorted(set(_locations(body, 0, len(body), "model", 0)))}


def _entry(data: bytes) -> tuple[str, bytes] | None:
    """Key and value of an entry of edgecnn, None for one of another tool."""
    found = {number: data[content:end] for number, _, content, end in fields(data)}
    key = found.get(KEY, b"")
    try:
        return (key.decode(), found.get(VALUE, b"")) if key.startswith(PREFIX.encode()) else None
    except UnicodeDecodeError:
        return None


def _packed(texts: Mapping[str, bytes]) -> bytes:
    return b"".join(
        bytes_field(METADATA_PROPS, bytes_field(KEY, key.encode()) + bytes_field(VALUE, text)) for key, text in texts.items()
    )


def _locations(data: bytes, start: int, end: int, message: str, depth: int) -> list[str]:
    """The files that tensors inside a message name."""
    if depth > _MAX_DEPTH:
        raise BrokenFileError("its graphs are nested too deeply")
    if message == "tensor":
        return _tensor_locations(data, start, end)
    inside = _TENSORS[message]
    found = []
    for number, _, content, stop in fields(data, start, end):
        if number in inside:
            found += _locations(data, content, stop, inside[number], depth + 1)
    return found


def _tensor_locations(data: bytes, start: int, end: int) -> list[str]:
    """Also those of a tensor that is not marked as external: protobuf may write one tensor in two parts, with the mark in the other."""
    names = []
    for number, _, content, stop in fields(data, start, end):
        if number == _EXTERNAL_DATA:
            entry = {key: data[a:b] for key, _, a, b in fields(data, content, stop)}
            if entry.get(KEY) == b"location":
                names.append(entry.get(VALUE, b"").decode(errors="replace"))
    return names
