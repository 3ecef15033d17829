"""Reads images: the header first, then, where it is sound and not too large, the pixels. One rule for all commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from edgecnn.errors import InputError
from edgecnn.images import isobmff, jpeg, other_headers, png
from edgecnn.images.header import NO_IMAGE, Header, UnreadableImage
from edgecnn.images.kinds import kind_of
from edgecnn.images.opencv_log import silence_opencv_log
from edgecnn.images.orientation import turn

if TYPE_CHECKING:
    from edgecnn.types import Image

# An image of this size takes 360 MB, and while it is turned twice as much. A camera of 108 million pixels stays below.
MAX_PIXELS = 120_000_000
VARIABLE = "EDGECNN_MAX_IMAGE_PIXELS"
_HEADERS: Mapping[str, Callable[[BinaryIO], Header]] = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WebP": other_headers.read_webp,
    "TIFF": other_headers.read_tiff,
    "BMP": other_headers.read_bmp,
    "GIF": other_headers.read_gif,
    "PNM": other_headers.read_pnm,
    "AVIF": isobmff.read_avif,
    "JPEG 2000": isobmff.read_jpeg2000,
}


def pixel_limit(max_pixels: int | None = None) -> int:
    """The most pixels of an image: ``max_pixels``, else the environment variable ``EDGECNN_MAX_IMAGE_PIXELS``, else 120 million.

    Raises ``InputError`` where the variable is no positive number.
    """
    text = os.environ.get(VARIABLE, "")
    if max_pixels is not None:
        return max_pixels
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or not int(text):
        raise InputError(f"{VARIABLE}={text} is not a number of pixels", "set it to a whole number above 0, or unset it")
    return int(text)


def read_header(stream: BinaryIO, max_pixels: int | None = None) -> Header:
    """The header of an image by its content, whatever the name of the file. Nothing is decoded.

    ``max_pixels`` as of ``pixel_limit``. Raises ``UnreadableImage`` for a file that is no image, is damaged, or has
    more pixels.
    """
    stream.seek(0)
    head = stream.read(32)
    if not head:
        raise UnreadableImage("an empty file")
    kind = kind_of(head)
    if kind is None:
        raise UnreadableImage(NO_IMAGE)
    header = _HEADERS[kind](stream)
    if header.width < 1 or header.height < 1:
        raise UnreadableImage(NO_IMAGE)
    check_size(header.width, header.height, max_pixels)
    return header


def check_size(width: int, height: int, max_pixels: int | None) -> None:
    """Raise ``UnreadableImage`` for an image or frame with more pixels than ``pixel_limit``."""
    most = pixel_limit(max_pixels)
    if width * height > most:
        problem = f"{width:,} x {height:,} pixels are more than the limit of {most:,}"
        raise UnreadableImage(f"{problem} (--max-image-pixels, {VARIABLE})")


def decode_image(data: bytes, max_pixels: int | None = None) -> Image:
    """The upright image (H, W, 3) uint8 BGR of a file's bytes; the first of several, without transparency.

    ``max_pixels`` as of ``pixel_limit``. Raises ``UnreadableImage``.
    """
    import cv2  # only here: it takes as long to import as a model takes to open, which happens in the background meanwhile
    import numpy as np

    silence_opencv_log()
    header = read_header(BytesIO(data), max_pixels)
    stored: bytes | bytearray = data
    if header.patch is not None:
        at, patch = header.patch
        stored = bytearray(data)
        stored[at : at + len(patch)] = patch
    try:
        image = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise UnreadableImage(_reason(header.kind))
    if image.shape[:2] != (header.height, header.width):
        raise UnreadableImage(f"a damaged {header.kind}: its header says {header.width} x {header.height} pixels")
    return turn(np.asarray(image, np.uint8), header.orientation)


def _reason(kind: str) -> str:
    import cv2

    suffix = {"AVIF": "avif", "JPEG 2000": "jp2", "GIF": "gif", "WebP": "webp", "TIFF": "tiff"}.get(kind)
    if suffix is not None and not cv2.haveImageWriter(f"image.{suffix}"):
        return f"{kind}, which this build of OpenCV can't read"
    return f"a {kind} that is damaged, or of a form that OpenCV can't read"
