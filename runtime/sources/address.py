"""A stream on the network: RTSP, HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Generator

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.sources.capture import as_bgr, frame_rate, open_ffmpeg
from edgecnn.runtime.sources.diagnosis import why_not
from edgecnn.types import Frame

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "udp", "tcp")
_FILE = re.compile(r"(?i)^https?://[^?#]*\.(avi|m4v|mkv|mov|mp4|webm)([?#]|$)")
_SECRET = re.compile(r"(?i)\b((?:pass|pwd|token|key|secret|auth|user|usr|login|sig)\w*)=[^&#]*")


def printable(address: str) -> str:
    """The address without what must not be shown: user and password, and such values in the query."""
    scheme, _, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    if "@" not in place and "@" in path and not place.rpartition(":")[2].isdigit() and ":" in place:
        place, slash, path = rest, "", ""  # a password with a slash in it
    _, at, host = place.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{host}{slash}" + _SECRET.sub(r"\1=***", path)


class Address(Source):
    """The frames of a network stream, counted as captured when they arrive; a video file on a web server is not live and may end.

    Raises ``SourceError`` when iterated where it can't be opened, is silent for longer than the timeout, or is live and ends.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        super().__init__(printable(address), live=_FILE.search(address) is None, timeout=timeout)
        self._address = address

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._open()
        index = 0
        try:
            while True:
                asked = time.perf_counter()
                arrived = capture.grab()
                captured_at = time.perf_counter()
                found, image = capture.retrieve() if arrived else (False, None)
                if not found or image is None:
                    if not self.live and index and captured_at - asked < self.timeout * 0.9:
                        return
                    raise self._broken(index, captured_at - asked)
                yield Frame(index, captured_at, as_bgr(image))
                index += 1
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        started = time.perf_counter()
        capture = open_ffmpeg(self._address, self.timeout)
        if capture is None:
            silent = time.perf_counter() - started >= self.timeout * 0.9
            found, do = why_not(self._address, self.timeout, silent=silent)
            raise SourceError(f"a stream at {self.name}", found, do)
        self.fps = frame_rate(capture)
        return capture

    def _broken(self, frames: int, waited: float) -> SourceError:
        silent = waited >= self.timeout * 0.9
        found = f"none for {waited:.1f} s after {frames} frames" if silent else f"the stream ended after {frames} frames"
        return SourceError(f"a frame from {self.name}", found, "check the camera and the network, then run again")
