"""JPEG pictures out of a stream of bytes: what an HTTP camera sends, and ``ffmpeg -f mjpeg`` writes."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.runtime.sources.opencv_logging import native_stderr_silenced
from edgecnn.types import Image

_START, _SCAN, _END = b"\xff\xd8\xff", 0xDA, b"\xff\xd9"
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_LARGEST = 64 << 20


class JpegParser:
    """Cuts whole pictures out of bytes that come in any portions; whatever lies between them is skipped.

    The segments before a picture's data are walked by their lengths, so that a thumbnail inside does not end it. ``broken`` counts
    pictures that were cut off, ``skipped`` the bytes that belong to none.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # how far the picture at the start of the buffer was walked
        self._in_scan = False
        self.broken = self.skipped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that are complete with these bytes, oldest first."""
        self._buffer += data
        found: list[bytes] = []
        while self._seek_start():
            end = self._walk()
            if end is None:
                break
            if end > 0:
                found.append(bytes(self._buffer[:end]))
            self._drop(end or 2, counted=not end)
        return found

    def _seek_start(self) -> bool:
        """Whether a picture begins at the start of the buffer; what lies before it is dropped."""
        if self._at:
            return True
        start = self._buffer.find(_START)
        self._drop(start if start >= 0 else max(len(self._buffer) - 2, 0), counted=True)
        self._at = 2 if start >= 0 else 0
        return start >= 0

    def _drop(self, count: int, *, counted: bool) -> None:
        del self._buffer[:count]
        self._at, self._in_scan = 0, False
        self.skipped += count if counted else 0

    def _walk(self) -> int | None:
        """Where the picture ends; 0 where it is broken, None where more bytes are needed."""
        while not self._in_scan:
            if self._at + 4 > len(self._buffer):
                return None
            first, marker = self._buffer[self._at], self._buffer[self._at + 1]
            if first != 0xFF or marker in (0xD8, 0xD9, 0x00):
                self.broken += 1
                return 0
            self._at += self._length(marker)
            self._in_scan = marker == _SCAN
        return self._scan_end()

    def _length(self, marker: int) -> int:
        if marker == 0xFF:
            return 1
        return 2 if marker in _ALONE else 2 + int.from_bytes(self._buffer[self._at + 2 : self._at + 4], "big")

    def _scan_end(self) -> int | None:
        end = self._buffer.find(_END, self._at)
        again = self._buffer.find(_START, self._at, end if end >= 0 else len(self._buffer))
        if again >= 0 or len(self._buffer) > _LARGEST:
            self.broken += 1
            return 0
        if end < 0:
            self._at = max(self._at, len(self._buffer) - 2)
            return None
        return end + 2


def decode(jpeg: bytes) -> Image | None:
    """The image (H, W, 3) BGR, or None where it can't be decoded."""
    try:
        with native_stderr_silenced():
            image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else image.astype(np.uint8, copy=False)
