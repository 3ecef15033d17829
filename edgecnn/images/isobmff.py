"""The headers of images in boxes: AVIF (ISO/IEC 23008-12) and JPEG 2000 (ITU-T T.800)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from edgecnn.images.header import MOST_METADATA, NO_IMAGE, Header, UnreadableImage, file_size, unpack
from edgecnn.images.orientation import UPRIGHT, from_xmp, valid

_MOST_BOXES = 10_000
# as libavif translates them: quarter turns counter-clockwise (irot), then mirroring (imir: 0 top to bottom, 1 left to right; None)
_ORIENTATIONS = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip
_CODESTREAM = b"\xff\x4f\xff\x51"


def read_jpeg2000(stream: BinaryIO) -> Header:
    """The header of a JPEG 2000 file or bare codestream. Raises ``UnreadableImage``."""
    stream.seek(0)
    if stream.read(4) != _CODESTREAM:
        # decoders follow the codestream where the box ihdr says another size
        start, _ = find_box(stream, (b"jp2c",), 0, file_size(stream))
        stream.seek(start)
        if stream.read(4) != _CODESTREAM:
            raise UnreadableImage(NO_IMAGE)
    # length (2), capabilities (2), size of the reference grid, offset of the image in it
    _, _, right, bottom, left, top = unpack(stream, ">HHIIII")
    return Header("JPEG 2000", int(right - left), int(bottom - top))


def read_avif(stream: BinaryIO) -> Header:
    """The header of an AVIF. Its turn is a property of the image (irot, imir), not EXIF. Raises ``UnreadableImage``."""
    start, end = find_box(stream, (b"meta",), 0, file_size(stream))
    start += 4  # version and flags
    item = _primary_item(stream, start, end)
    container, container_end = find_box(stream, (b"iprp", b"ipco"), start, end)
    properties = list(boxes(stream, container, container_end))
    size, turn, mirror = None, 0, None
    for index in _associations(stream, start, end, item):
        if not 1 <= index <= len(properties):
            continue
        kind, at, until = properties[index - 1]
        stream.seek(at)
        content = stream.read(min(until - at, 16))
        if kind == b"ispe" and len(content) >= 12:
            size = struct.unpack(">II", content[4:12])
        elif kind == b"irot" and content:
            turn = content[0] & 3
        elif kind == b"imir" and content:
            mirror = content[0] & 1
    if size is None:
        raise UnreadableImage(NO_IMAGE)
    orientation = _ORIENTATIONS[turn, mirror]
    if orientation == UPRIGHT:
        orientation = _by_xmp(stream, start, end)
    return Header("AVIF", int(size[0]), int(size[1]), orientation)


def _by_xmp(stream: BinaryIO, start: int, end: int) -> int:
    """The orientation in the XMP packet, plain text between the coded data; 1 where the image has an item of EXIF data."""
    stream.seek(start)
    if b"Exif" in stream.read(min(end - start, MOST_METADATA)):
        return UPRIGHT
    stream.seek(end)
    return valid(from_xmp(stream.read(MOST_METADATA)))


def _primary_item(stream: BinaryIO, start: int, end: int) -> int:
    at, _ = find_box(stream, (b"pitm",), start, end)
    stream.seek(at)
    version = unpack(stream, ">I")[0] >> 24
    return int(unpack(stream, ">I" if version else ">H")[0])


def _associations(stream: BinaryIO, start: int, end: int, item: int) -> list[int]:
    """The numbers of the properties of an item, from 1 on (box ipma)."""
    at, _ = find_box(stream, (b"iprp", b"ipma"), start, end)
    stream.seek(at)
    (head,) = unpack(stream, ">I")
    (count,) = unpack(stream, ">I")
    wide = head & 1
    for _ in range(min(count, _MOST_BOXES)):
        (number,) = unpack(stream, ">I" if head >> 24 else ">H")
        (several,) = unpack(stream, ">B")
        found = unpack(stream, f">{several}{'H' if wide else 'B'}")
        if number == item:
            return [index & (0x7FFF if wide else 0x7F) for index in found]
    raise UnreadableImage(NO_IMAGE)


def find_box(stream: BinaryIO, path: tuple[bytes, ...], start: int, end: int) -> tuple[int, int]:
    """Where the content of the first box at a path of kinds begins and ends."""
    for kind in path:
        place = next(((at, until) for found, at, until in boxes(stream, start, end) if found == kind), None)
        if place is None:
            raise UnreadableImage(NO_IMAGE)
        start, end = place
    return start, end


def boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where it ends) of the boxes between two places."""
    for _ in range(_MOST_BOXES):
        stream.seek(start)
        head = stream.read(16)
        if start + 8 > end or len(head) < 8:
            return
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:  # 64 bits of size follow
            size, header = int.from_bytes(head[8:16], "big"), 16
        until = start + size if size else end
        if until < start + header or until > end:
            return
        yield head[4:8], start + header, until
        start = until
