"""The header of a PNG (ISO/IEC 15948), and whether the file is whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from edgecnn.images import orientation as exif
from edgecnn.images.header import MOST_METADATA, NO_IMAGE, Header, UnreadableImage, cut_off, file_size

_SIGNATURE_BYTES = 8
_XMP, _RAW_EXIF = b"XML:com.adobe.xmp", b"Raw profile type exif"


def read(stream: BinaryIO) -> Header:
    """The header of a whole PNG; its orientation is in the chunk eXIf, in the text that ImageMagick writes, or in XMP.

    Raises ``UnreadableImage`` where the last chunk (IEND) is missing.
    """
    size: tuple[int, int] | None = None
    exif_data: bytes | None = None
    texts: dict[bytes, bytes] = {}
    for kind, length in chunks(stream):
        if kind == b"IHDR":
            sides = stream.read(8)
            if len(sides) < 8:
                raise cut_off("PNG")
            width, height = struct.unpack(">II", sides)
            size = int(width), int(height)
        elif kind == b"eXIf":
            exif_data = stream.read(min(length, MOST_METADATA))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, text = _text(kind, stream.read(min(length, MOST_METADATA)))
            texts[keyword] = text
    if size is None:
        raise UnreadableImage(NO_IMAGE)
    value = exif.from_exif(_raw_profile(texts.get(_RAW_EXIF, b"")) if exif_data is None else exif_data)
    return Header("PNG", *size, exif.valid(exif.from_xmp(texts.get(_XMP, b"")) if value is None else value))


def chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(kind, length) of each chunk up to the last, with the stream at its content. Raises ``UnreadableImage``."""
    at, end = _SIGNATURE_BYTES, file_size(stream)
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            raise cut_off("PNG")
        (length,) = struct.unpack(">I", head[:4])
        at += 12 + length  # length, kind, content, checksum
        if at > end:
            raise cut_off("PNG") if head[4:].isalpha() else UnreadableImage(NO_IMAGE)
        if head[4:] == b"IEND":
            return
        yield head[4:], length


def _text(kind: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Keyword and text; text that is compressed in a wrong way is empty."""
    keyword, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest
    if kind == b"zTXt":
        return keyword, _inflate(rest[1:])
    # compression flag (1), method (1), language, translated keyword
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return keyword, _inflate(text) if rest[:1] == b"\1" else text


def _inflate(data: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, MOST_METADATA)
    return b""


def _raw_profile(text: bytes) -> bytes:
    """EXIF data that ImageMagick writes as hexadecimal digits, after an empty line, the name and the length, a line each."""
    with suppress(ValueError):
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    return b""
