"""A stream on the network that FFmpeg reads: RTSP, RTMP, HLS, transport streams."""

from __future__ import annotations

import re
import time
from collections.abc import Generator

from edgecnn.errors import SourceError
from edgecnn.images.header import UnreadableImage
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.diagnosis import diagnose
from edgecnn.runtime.sources.redact import redact_address, redact_text
from edgecnn.types import Frame
from edgecnn.videos.capture import VideoCapture, open_file, open_stream

SCHEMES = ("rtsp", "rtspt", "rtspu", "rtsps", "http", "https", "https+insecure", "rtmp", "udp", "tcp")
_TRANSPORT = re.compile("^rtsp([tu])://")  # as GStreamer and others name them
_FILE = re.compile(r"(?i)^https?(\+insecure)?://[^?#]*\.(avi|m4v|mkv|mov|mp4|webm)([?#]|$)")
_GAP_S = 0.5  # after a silence of this length frames have queued up
_CATCH_UP_S = 2.0
_SLOWEST_QUEUE_S = 0.1
_USUAL_FPS = 25.0


class NetworkStream(Source):
    """The frames of a network stream, counted as captured when they arrive; a video file on a web server is not live and may end.

    RTSP travels over TCP; rtspu:// asks for UDP. Frames that queued up before the first one or during a silence are dropped and
    counted in ``missed``, unless ``every`` is set. ``shown`` is the address as it may be printed. ``use_opencv`` opens it with OpenCV
    also where PyAV is installed. ``max_pixels`` is the most of a frame, as of
    ``pixel_limit``. A file's frames have their ``media_time``.
    Raises ``SourceError`` when iterated where it can't be opened, is silent for longer than the timeout, or is live and ends.
    """

    def __init__(
        self,
        address: str,
        *,
        shown: str | None = None,
        timeout: float = 5.0,
        every: bool = False,
        live: bool | None = None,
        use_opencv: bool = False,
        max_pixels: int | None = None,
    ) -> None:
        live = _FILE.search(address) is None if live is None else live
        super().__init__(redact_address(shown or address), live=live, timeout=timeout)
        self._address, self._every, self._use_opencv = address, every, use_opencv
        self._max_pixels = max_pixels

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._open()
        queue = Backlog(self.fps, self.live and not self._every)
        index = 0
        try:
            while True:
                asked = time.perf_counter()
                arrived = capture.grab()
                captured_at = time.perf_counter()
                if arrived and queue.holds(captured_at - asked, captured_at):
                    self.missed += 1
                    continue
                image = capture.retrieve() if arrived else None
                if image is None:
                    if not self.live and index and captured_at - asked < self.timeout * 0.9:
                        return
                    raise self._broken(index, captured_at - asked)
                yield Frame(index, captured_at, image, None if self.live else capture.time)
                index += 1
        finally:
            capture.release()

    def _open(self) -> VideoCapture:
        started = time.perf_counter()
        try:
            capture = self._capture()
        except UnreadableImage as error:
            raise SourceError(f"{self.name}: {error}", "check the camera, or raise the limit") from None
        except Exception as error:
            raise SourceError(f"{self.name}: {redact_text(str(error), self._address)}", "check the address") from None
        if capture is None:
            silent = time.perf_counter() - started >= self.timeout * 0.9
            problem, fix = diagnose(self._address, self.timeout, silent=silent)
            raise SourceError(f"{self.name}: {problem}", fix)
        self.fps = capture.fps
        return capture

    def _capture(self) -> VideoCapture | None:
        if not self.live:
            return open_file(self._address, self.timeout, self._max_pixels, use_opencv=self._use_opencv)
        transport = "udp" if self._address.startswith("rtspu://") else "tcp"
        address = _TRANSPORT.sub("rtsp://", self._address)
        return open_stream(address, self.timeout, self._max_pixels, transport, use_opencv=self._use_opencv)

    def _broken(self, frames: int, waited: float) -> SourceError:
        fix = "check the camera and the network, then run again"
        if waited >= self.timeout * 0.9:
            return SilenceError(f"{self.name}: no frame for {waited:.1f} s after {frames} frames", fix)
        return SourceError(f"{self.name}: the stream ended after {frames} frames", fix)


class Backlog:
    """Detects frames of a live stream that waited in a queue of the network or the camera: at the start or after a gap, they come
    faster than any camera captures them. ``drop`` False: none is ever reported.
    """

    def __init__(self, fps: float | None, drop: bool) -> None:
        self._quick = min(0.5 / (fps or _USUAL_FPS), _SLOWEST_QUEUE_S)
        self._drop = drop
        self._until = time.perf_counter() + _CATCH_UP_S

    def holds(self, waited: float, now: float) -> bool:
        """Whether the frame that arrived at ``now`` after ``waited`` seconds is an old one, to be dropped."""
        if waited >= _GAP_S:
            self._until = now + _CATCH_UP_S
        elif waited >= self._quick:
            self._until = now
        return self._drop and waited < self._quick and now < self._until
