"""The headers of WebP, TIFF, BMP, GIF and PNM (PBM, PGM, PPM)."""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from edgecnn.images import orientation as exif
from edgecnn.images.header import MOST_METADATA, NO_IMAGE, Header, UnreadableImage, cut_off, file_size, read_exactly, unpack
from edgecnn.images.ifd import HEIGHT, ORIENTATION, WIDTH, XMP, Directory, read_directory

_HAS_EXIF, _HAS_XMP = 0x08, 0x04
_PNM = re.compile(rb"P[1-6]" + 2 * rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})")
_PNM_HEAD = 4096  # bytes: its comments may be long
_SHORT = 3


def read_webp(stream: BinaryIO) -> Header:
    """The header of a WebP (RFC 9649). EXIF counts only where the extended header announces it. Raises ``UnreadableImage``."""
    end = file_size(stream)
    stream.seek(4)
    (size,) = unpack(stream, "<I")
    if size + 8 > end:
        raise cut_off("WebP")
    end, at, flags = size + 8, 12, 0
    canvas: tuple[int, int] | None = None
    metadata: dict[bytes, bytes] = {}
    while at + 8 <= end:
        stream.seek(at)
        kind, length = unpack(stream, "<4sI")
        if kind == b"VP8X":
            data = read_exactly(stream, 10)
            flags = data[0]
            canvas = int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
        elif kind in (b"VP8 ", b"VP8L") and canvas is None:
            canvas = _webp_size(kind, read_exactly(stream, 10))
        elif kind in (b"EXIF", b"XMP ") and kind not in metadata:
            metadata[kind] = stream.read(min(length, MOST_METADATA))
        at += 8 + length + length % 2
    if canvas is None:
        raise UnreadableImage(NO_IMAGE)
    value = exif.from_exif(metadata.get(b"EXIF", b"")) if flags & _HAS_EXIF else None
    if value is None and flags & _HAS_XMP:
        value = exif.from_xmp(metadata.get(b"XMP ", b""))
    return Header("WebP", *canvas, exif.valid(value))


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int]:
    if kind == b"VP8L":
        # a signature byte, then 14 bits each of width - 1 and height - 1
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    # frame tag (3), start code (3), then width and height in 14 bits each; above them are hints for scaling
    width, height = struct.unpack("<HH", data[6:10])
    return width & 0x3FFF, height & 0x3FFF


def read_tiff(stream: BinaryIO) -> Header:
    """The header of the first image of a TIFF. Raises ``UnreadableImage``.

    OpenCV always turns a TIFF, by libtiff's reading of the tag; the patch makes the tag 1, so that all kinds are turned by one rule.
    """
    directory = read_directory(stream)
    width, height = (directory.number(WIDTH), directory.number(HEIGHT)) if directory is not None else (None, None)
    if directory is None or not width or not height:
        raise UnreadableImage(NO_IMAGE)
    tagged = ORIENTATION in directory.entries
    value = directory.number(ORIENTATION) if tagged else exif.from_xmp(directory.data(XMP, MOST_METADATA))
    return Header("TIFF", int(width), int(height), exif.valid(value), _upright_patch(directory))


def _upright_patch(directory: Directory) -> tuple[int, bytes] | None:
    entry = directory.entries.get(ORIENTATION)
    if entry is None:
        return None
    # type, number of values, value
    form = directory.order + ("HQHHI" if directory.big else "HIHH")
    return entry.at + 2, struct.pack(form, _SHORT, 1, exif.UPRIGHT, *([0, 0] if directory.big else [0]))


def read_bmp(stream: BinaryIO) -> Header:
    """The header of a BMP; a negative height means that the first row is the top one. Raises ``UnreadableImage``."""
    stream.seek(14)
    (size,) = unpack(stream, "<I")
    width, height = unpack(stream, "<HH" if size == 12 else "<ii")
    return Header("BMP", int(width), abs(int(height)))


def read_gif(stream: BinaryIO) -> Header:
    """The header of a GIF: the size of its canvas. Raises ``UnreadableImage``."""
    stream.seek(6)
    width, height = unpack(stream, "<HH")
    return Header("GIF", int(width), int(height))


def read_pnm(stream: BinaryIO) -> Header:
    """The header of a PBM, PGM or PPM. Raises ``UnreadableImage``."""
    stream.seek(0)
    found = _PNM.match(stream.read(_PNM_HEAD))
    if found is None:
        raise UnreadableImage(NO_IMAGE)
    return Header("PNM", int(found[1]), int(found[2]))
