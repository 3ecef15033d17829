"""What the header of an image says, and the error for files that are no image or are damaged."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from edgecnn.images.orientation import SWAPS_SIDES, UPRIGHT

NO_IMAGE = "a file that is no image or is damaged"
MOST_METADATA = 1 << 20  # bytes of EXIF or XMP that are looked at


class UnreadableImage(Exception):  # noqa: N818 - never shown as it is; the text is the reason
    """An image can't be read; the text is a short reason for a line that already names the file."""


@dataclass(frozen=True, slots=True)
class Header:
    """Kind, stored size in pixels, EXIF orientation (1 to 8).

    ``patch`` are bytes and their place in the file that tell a decoder not to turn the image, for the kind whose decoder always does.
    """

    kind: str
    width: int
    height: int
    orientation: int = UPRIGHT
    patch: tuple[int, bytes] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright image in pixels."""
        return (self.height, self.width) if self.orientation in SWAPS_SIDES else (self.width, self.height)


def cut_off(kind: str) -> UnreadableImage:
    """The error for a file that ends too early."""
    return UnreadableImage(f"a {kind} that is cut off")


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """So many bytes. Raises ``UnreadableImage`` at the end of the file."""
    data = stream.read(count)
    if len(data) < count:
        raise UnreadableImage(NO_IMAGE)
    return data


def unpack(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    """The next values by a ``struct`` format. Raises ``UnreadableImage`` at the end of the file."""
    return struct.unpack(form, read_exactly(stream, struct.calcsize(form)))


def file_size(stream: BinaryIO) -> int:
    """Bytes of the whole file."""
    return stream.seek(0, 2)
