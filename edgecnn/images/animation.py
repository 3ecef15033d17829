"""Whether an image file holds several frames that are shown one after the other."""

from __future__ import annotations

from typing import BinaryIO

from edgecnn.images.header import UnreadableImage, file_size, unpack
from edgecnn.images.kinds import kind_of
from edgecnn.images.png import chunks

_EXTENSION, _IMAGE = 0x21, 0x2C
_MOST_BLOCKS = 1_000_000


def is_animated(stream: BinaryIO) -> bool:
    """Whether the file is a GIF with more than one image, or an APNG; False for a damaged file."""
    stream.seek(0)
    kind = kind_of(stream.read(32))
    try:
        if kind == "PNG":
            return any(chunk == b"acTL" for chunk, _ in chunks(stream))
        return kind == "GIF" and _has_two_images(stream)
    except UnreadableImage:
        return False


def _has_two_images(stream: BinaryIO) -> bool:
    """GIF89a, sections 18 to 26."""
    end = file_size(stream)
    stream.seek(10)
    flags, _, _ = unpack(stream, "<BBB")
    stream.seek(_table_bytes(flags), 1)
    images = 0
    for _ in range(_MOST_BLOCKS):
        (block,) = unpack(stream, "<B")
        if block == _EXTENSION:
            stream.seek(1, 1)
        elif block == _IMAGE:
            images += 1
            # left, top, width, height (8), flags (1), then the table of colors and the code size (1)
            *_, flags = unpack(stream, "<8sB")
            stream.seek(_table_bytes(flags) + 1, 1)
        else:
            return False
        if images > 1:
            return True
        _skip_sub_blocks(stream, end)
    return False


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(stream: BinaryIO, end: int) -> None:
    length = 1
    while length and stream.tell() < end:
        (length,) = unpack(stream, "<B")
        stream.seek(length, 1)
