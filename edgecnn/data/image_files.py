"""Lists image files, reads their sizes from the headers, and decodes them."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
# the size in a JPEG comes after metadata segments, such as a thumbnail or a color profile
HEAD_BYTES = 65536
# some programs append a few bytes after the end marker
TAIL_BYTES = 1024
END_OF_JPEG = b"\xff\xd9"
PNG, END_OF_PNG = b"\x89PNG\r\n\x1a\n", b"IEND"


class ImageError(InputError):
    """An image file or video frame can't be read; ``reason`` is the short text for lists that already name the file."""

    def __init__(self, path: Path, reason: str, kind: str = "image") -> None:
        super().__init__(f"can't read the {kind} {path}: {reason}", "copy it again or remove it from the dataset")
        self.reason = reason
        self._arguments = (path, reason, kind)

    def __reduce__(self) -> tuple[object, ...]:
        # exceptions are pickled with their message as the only argument, with which the constructor would fail in another process
        return ImageError, self._arguments


def list_images(folder: Path) -> list[Path]:
    """The image files directly in a folder, by name."""
    # hidden files: macOS writes a ._name.jpg with metadata beside each file on foreign disks
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def by_stem(folder: Path) -> dict[str, Path]:
    """The image files directly in a folder by their name without suffix."""
    return {path.stem: path for path in list_images(folder)}


def read_image(path: Path) -> Image:
    """Decode an image to (H, W, 3) uint8 BGR, rotated by its EXIF orientation.

    Raises ``InputError`` for a file that is missing, truncated or not an image.
    """
    data = _bytes(path)
    # OpenCV decodes a cut JPEG without an error, grey from some row on; only the missing end marker tells.
    if data.startswith(b"\xff\xd8") and END_OF_JPEG not in data[-TAIL_BYTES:]:
        raise ImageError(path, "a JPEG that is cut off")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(path, "a file that is no image or is damaged")
    return np.asarray(image, np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the image that ``read_image`` gives, from the header if possible; raises what ``read_image`` raises."""
    head = _bytes(path, HEAD_BYTES)
    size = _png_size(head) or _jpeg_size(head)
    if size is None:
        height, width = read_image(path).shape[:2]
        return width, height
    _check_end(path, head)
    return size


def _check_end(path: Path, head: bytes) -> None:
    """Raise ``ImageError`` for a truncated file: its header is complete, but its end marker is missing."""
    kind, end = ("PNG", END_OF_PNG) if head.startswith(PNG) else ("JPEG", END_OF_JPEG)
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        if end not in file.read():
            raise ImageError(path, f"a {kind} that is cut off")


def _bytes(path: Path, count: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(count)
    except OSError as error:
        raise ImageError(path, error.strerror or str(error)) from error
    if not data:
        raise ImageError(path, "an empty file")
    return data


def _png_size(head: bytes) -> tuple[int, int] | None:
    # signature (8), then the chunk IHDR: length (4), type (4), width (4), height (4), big-endian; eXIf may hold a rotation
    if head[:8] != PNG or len(head) < 24 or b"eXIf" in head:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """From the start-of-frame segment (ITU T.81, B.2.2); None where an EXIF rotation may swap the sides."""
    if head[:2] != b"\xff\xd8" or b"Exif\0\0" in head[:HEAD_BYTES]:
        return None
    at = 2
    # a segment: 0xFF, marker (1), length with itself (2); start of frame goes on with precision (1), height (2), width (2)
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        # SOF0 to SOF15; C4 are Huffman tables, C8 is reserved, CC is arithmetic conditioning
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + length
    return None
