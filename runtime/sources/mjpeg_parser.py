"""Splits a byte stream into JPEG images: what an HTTP camera sends, and ``ffmpeg -f mjpeg`` writes."""

from __future__ import annotations

import re

from edgecnn.images.header import UnreadableImage
from edgecnn.images.reader import decode_image
from edgecnn.types import Image
from edgecnn.videos.opencv_logging import native_stderr_silenced

# ITU-T T.81: SOI (FF D8), then segments of FF, a marker and a length (2 bytes, big-endian, including themselves); after the segment
# SOS (DA) the entropy-coded data, in which FF is always followed by 00 or a restart marker; then EOI (FF D9)
_SOI, _SOS, _EOI = b"\xff\xd8\xff", 0xDA, b"\xff\xd9"
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}  # TEM and the restart markers
_FILL = re.compile(rb"\xff+")
MOST_BYTES = 32 << 20  # of one image; a frame of 7680 x 4320 pixels in high quality has 20 MB


class JpegParser:
    """Finds complete JPEG images in bytes that come in chunks of any size; bytes between images are skipped.

    Segments are skipped by their lengths, so that a thumbnail inside one does not end the image. ``broken`` counts images that were
    cut off or longer than ``most_bytes``, ``skipped`` the bytes outside of images.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._buffer, self._most_bytes = bytearray(), most_bytes
        self._at = 0  # how far the image at the start of the buffer was parsed
        self._in_scan = False
        self.broken = self.skipped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The images that are complete with these bytes, oldest first."""
        self._buffer += data
        found: list[bytes] = []
        while self._seek_start():
            end = self._parse()
            if end is None:
                self._limit()
                break
            if end > 0:
                found.append(bytes(self._buffer[:end]))
            self._drop(end or 2, counted=not end)
        return found

    def _seek_start(self) -> bool:
        """Whether an image begins at the start of the buffer; the bytes before it are dropped."""
        if self._at:
            return True
        start = self._buffer.find(_SOI)
        # its first two bytes may be the last two of the buffer
        self._drop(start if start >= 0 else max(len(self._buffer) - 2, 0), counted=True)
        self._at = 2 if start >= 0 else 0
        return start >= 0

    def _limit(self) -> None:
        """An image that does not end takes no more memory than the longest that is allowed."""
        if len(self._buffer) > self._most_bytes:
            self.broken += 1
            self._drop(len(self._buffer), counted=True)

    def _drop(self, count: int, *, counted: bool) -> None:
        del self._buffer[:count]
        self._at, self._in_scan = 0, False
        self.skipped += count if counted else 0

    def _parse(self) -> int | None:
        """Where the image ends; 0 where it is broken, None where more bytes are needed."""
        while not self._in_scan:
            if self._at + 4 > len(self._buffer):
                return None
            first, marker = self._buffer[self._at], self._buffer[self._at + 1]
            if first != 0xFF or marker in (0xD8, 0xD9, 0x00):
                self.broken += 1
                return 0
            self._at += self._length(marker)
            self._in_scan = marker == _SOS
        return self._scan_end()

    def _length(self, marker: int) -> int:
        if marker == 0xFF:  # fill bytes before the marker, skipped at once: a hostile sender may send millions
            run = _FILL.match(self._buffer, self._at)
            return run.end() - run.start() - 1 if run else 1
        return 2 if marker in _WITHOUT_LENGTH else 2 + int.from_bytes(self._buffer[self._at + 2 : self._at + 4], "big")

    def _scan_end(self) -> int | None:
        end = self._buffer.find(_EOI, self._at)
        again = self._buffer.find(_SOI, self._at, end if end >= 0 else len(self._buffer))
        if again >= 0:
            self.broken += 1
            return 0
        if end < 0:
            self._at = max(self._at, len(self._buffer) - 2)
            return None
        return end + 2


def decode(jpeg: bytes, max_pixels: int | None = None) -> Image | str:
    """The upright image (H, W, 3) BGR, or the reason why it can't be read; ``max_pixels`` as of ``pixel_limit``."""
    try:
        with native_stderr_silenced():
            return decode_image(jpeg, max_pixels)
    except UnreadableImage as error:
        return str(error)
