"""Image file directories (TIFF 6.0, section 2): the tags of a TIFF file, and of the EXIF data in other files."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

ORIENTATION, XMP, WIDTH, HEIGHT = 274, 700, 256, 257
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# the types whose value is a number; Pillow takes BYTE (1) and UNDEFINED (7) for text, as ASCII (2)
_NUMBERS = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_RATIOS = {5: "II", 10: "ii"}
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag: where its 12 bytes (20 in a BigTIFF) begin, its type, and where its ``count`` values begin."""

    at: int
    type: int
    count: int
    values_at: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The first directory of TIFF data that begins at the start of ``stream``; ``order`` is "<" or ">"."""

    stream: BinaryIO
    order: str
    big: bool
    entries: dict[int, Entry]

    def number(self, tag: int) -> float | None:
        """The first value of a tag; None where it is absent, cut off, or no number."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in _NUMBERS | _RATIOS:
            return None
        form = self.order + (_NUMBERS | _RATIOS)[entry.type]
        data = read_at(self.stream, entry.values_at, struct.calcsize(form))
        if len(data) < struct.calcsize(form):
            return None
        values = struct.unpack(form, data)
        if entry.type in _RATIOS:
            return values[0] / values[1] if values[1] else None
        return float(values[0])

    def data(self, tag: int, most: int) -> bytes:
        """The bytes of a tag, at most so many; empty where it is absent."""
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        return read_at(self.stream, entry.values_at, min(entry.count * _BYTES[entry.type], most))


def read_directory(stream: BinaryIO) -> Directory | None:
    """The first directory; None where the data is no TIFF. Entries that are cut off, of unknown type or without value are left out."""
    head = read_at(stream, 0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    (magic,) = struct.unpack(order + "H", head[2:4])
    big = magic == 43
    if magic not in (42, 43) or (big and len(head) < 16):
        return None
    (at,) = struct.unpack(order + "Q", head[8:16]) if big else struct.unpack(order + "I", head[4:8])
    entries = _entries(stream, at, order, big) if at < 1 << 62 else {}
    return Directory(stream, order, big, entries)


def _entries(stream: BinaryIO, at: int, order: str, big: bool) -> dict[int, Entry]:
    head, form, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    size = struct.calcsize(order + form) + room
    found = read_at(stream, at, struct.calcsize(order + head))
    if len(found) < struct.calcsize(order + head):
        return {}
    first = at + len(found)
    count = min(struct.unpack(order + head, found)[0], _MOST_ENTRIES)
    data = read_at(stream, first, count * size)
    entries = {}
    for start in range(0, len(data) - size + 1, size):
        tag, type_, values = struct.unpack_from(order + form, data, start)
        length = _BYTES.get(type_, 0) * values
        if not length:
            continue
        values_at = first + start + size - room
        if length > room:
            (values_at,) = struct.unpack_from(order + ("Q" if big else "I"), data, start + size - room)
        if values_at < 1 << 62:
            entries[tag] = Entry(first + start, type_, values, values_at)
    return entries


def read_at(stream: BinaryIO, at: int, count: int) -> bytes:
    """So many bytes from there on, fewer at the end of the file."""
    stream.seek(at)
    return stream.read(count)
