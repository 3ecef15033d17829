"""Image files as cameras and programs write them, made from bytes: OpenCV writes no metadata of these forms."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

from edgecnn.types import Image

WIDTH, HEIGHT = 48, 32


def quarters() -> Image:
    """Blue, green, red and black quarters (H, W, 3), so that each of the eight orientations looks different."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    half_h, half_w = HEIGHT // 2, WIDTH // 2
    image[:half_h, :half_w], image[:half_h, half_w:], image[half_h:, :half_w] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return image


def encode(suffix: str, image: Image | None = None, *options: int) -> bytes:
    """The quarters, or an image, as a file of the kind that the suffix names."""
    return cv2.imencode(suffix, quarters() if image is None else image, list(options))[1].tobytes()


def exif(value: int, order: str = "<", type_: int = 3, count: int = 1) -> bytes:
    """TIFF data with nothing but the tag Orientation."""
    form = {1: "B", 3: "H", 4: "I", 8: "h", 13: "I"}[type_]
    content = (struct.pack(order + form, value) * count).ljust(4, b"\0")[:4]
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + struct.pack(order + "HHHI", 1, 274, type_, count) + content + b"\0\0\0\0"


def xmp(value: int, *, attribute: bool = True) -> bytes:
    """An XMP packet with the orientation, in one of its two spellings."""
    if attribute:
        return b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>' % value
    return b"<x:xmpmeta><tiff:Orientation>%d</tiff:Orientation></x:xmpmeta>" % value


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with APP1 segments."""
    whole = encode(".jpg", None, cv2.IMWRITE_JPEG_QUALITY, 98)
    app1 = b"".join(b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment for segment in segments)
    return whole[:2] + app1 + whole[2:]


def png(*chunks: tuple[bytes, bytes], late: bool = False) -> bytes:
    """A PNG with chunks after the header, or ``late``, after the pixels."""
    whole = encode(".png")
    data = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    at = len(whole) - 12 if late else 33
    return whole[:at] + data + whole[at:]


def raw_profile(value: int) -> bytes:
    """EXIF data as ImageMagick writes it into a PNG text."""
    data = b"Exif\0\0" + exif(value)
    return b"\nexif\n%8d\n%s\n" % (len(data), data.hex().encode())


def webp(flags: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A lossless WebP with an extended header that has these flags, and chunks after the pixels."""
    simple = encode(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 101)
    size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    body = _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size) + simple[12:] + b"".join(_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def tiff(value: int | None, order: str = "<", *, packet: bytes = b"") -> bytes:
    """An uncompressed RGB TIFF with an orientation, and an XMP packet."""
    pixels = quarters()[..., ::-1].tobytes()
    entries = [(256, 3, 1, WIDTH), (257, 3, 1, HEIGHT), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0)]
    entries += [(274, 3, 1, value)] if value is not None else []
    entries += [(277, 3, 1, 3), (278, 3, 1, HEIGHT), (279, 4, 1, len(pixels))]
    entries += [(700, 7, len(packet), 0)] if packet else []
    after = 8 + 2 + 12 * len(entries) + 4
    places = {258: after, 273: after + 6 + len(packet), 700: after + 6}
    data = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(entries))
    for tag, type_, count, content in entries:
        number = places.get(tag, content)
        form = "HH" if type_ == 3 and count == 1 else "I"
        data += struct.pack(order + "HHI" + form, tag, type_, count, number, *([0] if form == "HH" else []))
    return data + struct.pack(order + "IHHH", 0, 8, 8, 8) + packet + pixels


def avif(turn: int, mirror: int | None) -> bytes:
    """An AVIF as OpenCV writes it, with ``turn`` quarter turns counter-clockwise and then a mirror (0: upside down, 1: sideways)."""
    whole = encode(".avif", None, cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_SPEED, 9)
    extra = b"\0\0\0\x09irot" + bytes([turn])
    extra += b"" if mirror is None else b"\0\0\0\x09imir" + bytes([mirror])
    count = 1 if mirror is None else 2
    ipco, ipma = whole.index(b"ipco") - 4, whole.index(b"ipma") - 4
    properties = whole[ipco : ipco + _size(whole, ipco)]
    number = _count_boxes(properties[8:])
    indices = bytes(0x80 | (number + 1 + n) for n in range(count))
    # box (8), version and flags (4), number of items (4), item (2), number of its properties (1)
    old = whole[ipma : ipma + _size(whole, ipma)]
    new = old[:18] + bytes([old[18] + count]) + old[19 : 19 + old[18]] + indices
    grown = _resized(properties + extra) + _resized(new)
    data = bytearray(whole[:ipco] + grown + whole[ipma + len(old) :])
    added = len(data) - len(whole)
    for kind in (b"meta", b"iprp"):
        at = data.index(kind) - 4
        data[at : at + 4] = struct.pack(">I", _size(bytes(data), at) + added)
    _move_items(data, added)
    return bytes(data)


def _size(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _resized(box: bytes) -> bytes:
    return struct.pack(">I", len(box)) + box[4:]


def _count_boxes(data: bytes) -> int:
    at = count = 0
    while at < len(data):
        at += _size(data, at)
        count += 1
    return count


def _move_items(data: bytearray, added: int) -> None:
    """The only item of the file begins later by what was added: box iloc in version 0, with offsets of 4 bytes."""
    at = data.index(b"iloc") + 4
    # version and flags (4), sizes (2), count (2), item (2), data reference (2), count of extents (2), offset
    place = at + 14
    data[place : place + 4] = struct.pack(">I", int.from_bytes(data[place : place + 4], "big") + added)


def has_avif() -> bool:
    """Whether this build of OpenCV writes and reads AVIF."""
    return bool(cv2.haveImageWriter("a.avif"))
