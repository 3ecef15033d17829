"""The header of a JPEG (ITU-T T.81, annex B), and whether the file is whole."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from edgecnn.images import orientation as exif
from edgecnn.images.header import MOST_METADATA, NO_IMAGE, Header, UnreadableImage, cut_off, file_size

_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_END = b"\xff\xd9"
# SOF0 to SOF15; C4 are Huffman tables, C8 is reserved, CC is arithmetic conditioning
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, _SOI, *range(0xD0, 0xD8)})
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_JUNK = 1 << 16  # bytes between segments that are skipped, as decoders do
_WINDOW = 1 << 16
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def read(stream: BinaryIO) -> Header:
    """The header of a whole JPEG. Bytes after its end, such as the film of a motion photo, do not matter.

    Decoders give an image that is grey from some row on for a file that is cut off, often without an error; the missing end marker
    tells. Raises ``UnreadableImage``.
    """
    size: tuple[int, int] | None = None
    exif_data, xmp = b"", b""
    for marker, start, length in _segments(stream):
        if marker == _SOS:
            if size is None:
                raise UnreadableImage(NO_IMAGE)
            _check_end(stream, start + length)
        elif marker in _FRAMES and size is None:
            # precision (1), height (2), width (2)
            size = _size(stream.read(5))
        elif marker == _APP1:
            data = stream.read(length)
            if data.startswith(_EXIF) and len(exif_data) < MOST_METADATA:
                exif_data += data[len(_EXIF) :]
            elif data.startswith(_XMP):
                xmp = data[len(_XMP) :]
    if size is None:
        raise UnreadableImage(NO_IMAGE)
    value = exif.from_exif(exif_data)
    return Header("JPEG", *size, exif.valid(exif.from_xmp(xmp) if value is None else value))


def _size(data: bytes) -> tuple[int, int]:
    if len(data) < 5:
        raise cut_off("JPEG")
    height, width = struct.unpack(">HH", data[1:])
    return int(width), int(height)


def _segments(stream: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, where its content begins, length of the content) to the start of the scan. Raises ``UnreadableImage`` where none is."""
    at = 2
    while True:
        marker, at = _next_marker(stream, at)
        if marker in _WITHOUT_LENGTH:
            continue
        stream.seek(at)
        length = int.from_bytes(stream.read(2), "big")
        if marker == _EOI or length < 2:
            raise UnreadableImage(NO_IMAGE)
        yield marker, at + 2, length - 2
        if marker == _SOS:
            return
        at += length


def _next_marker(stream: BinaryIO, at: int) -> tuple[int, int]:
    """The next marker and where it ends."""
    stream.seek(at)
    data = stream.read(2)
    if len(data) == 2 and data[0] == 0xFF and data[1] not in (0, 0xFF):
        return data[1], at + 2
    data += stream.read(_JUNK)
    found = _MARKER.search(data)
    if found is None:
        raise cut_off("JPEG") if len(data) < _JUNK else UnreadableImage(NO_IMAGE)
    return found[1][0], at + found.end()


def _check_end(stream: BinaryIO, scan: int) -> None:
    """Raise ``UnreadableImage`` where no end marker follows the start of the scan; a thumbnail before it has one of its own.

    Searched from the end of the file, where it nearly always is.
    """
    end = file_size(stream)
    while end > scan:
        start = max(end - _WINDOW, scan)
        stream.seek(start)
        # one byte more, since a marker may lie across the border of two windows
        if _END in stream.read(end - start + 1):
            return
        end = start
    raise cut_off("JPEG")
