"""Reads and writes fields of the protobuf wire format, so that no package is needed to find the parts of an ONNX file.

Format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from edgecnn.integrity.sections import BrokenFileError, read_range

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_HEAD = 20  # bytes of a tag and a length at most

Span = tuple[int, int, int, int]
"""Field number, start of the field, start and end of its content; the content of a number is its encoding."""


def file_fields(file: BinaryIO, size: int) -> Iterator[Span]:
    """The top-level fields of a file of ``size`` bytes; contents are not read. Raises ``BrokenFileError``."""
    start = 0
    while start < size:
        head = read_range(file, start, min(start + _HEAD, size))
        number, content, end = _field(head, 0, size - start)
        yield number, start, start + content, start + end
        start += end


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """The fields of a message inside ``data``. Raises ``BrokenFileError``."""
    end = len(data) if end is None else end
    while start < end:
        number, content, stop = _field(data, start, end)
        yield number, start, content, stop
        start = stop


def varint(value: int) -> bytes:
    """A number in seven bits per byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def bytes_field(number: int, content: bytes) -> bytes:
    """A field of bytes, text or another message."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def _field(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Number, start of the content and end of the field at ``start``; ``end`` is that of its message."""
    tag, content = read_varint(data, start)
    number, kind = tag >> 3, tag & 7
    if kind == VARINT:
        _, stop = read_varint(data, content)
    elif kind == BYTES:
        length, content = read_varint(data, content)
        stop = content + length
    elif kind in _FIXED_SIZES:
        stop = content + _FIXED_SIZES[kind]
    else:
        raise BrokenFileError("a field has an unknown type")
    if not number or stop > end:
        raise BrokenFileError("a field ends outside of its message")
    return number, content, stop


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """The number at ``start`` and the place after it. Raises ``BrokenFileError``."""
    value = shift = 0
    for place in range(start, min(start + 10, len(data))):
        value |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            return value, place + 1
    raise BrokenFileError("a number has no end")
