"""A stream on the network that FFmpeg reads: RTSP, RTMP, HLS, transport streams."""

from __future__ import annotations

import re
import time
from collections.abc import Generator

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.diagnosis import diagnose
from edgecnn.runtime.sources.opencv_capture import as_bgr, frame_rate, open_file, open_stream
from edgecnn.runtime.sources.redact import redact_address, redact_text
from edgecnn.types import Frame

SCHEMES = ("rtsp", "rtspt", "rtspu", "rtsps", "http", "https", "https+insecure", "rtmp", "udp", "tcp")
_TRANSPORT = re.compile("^rtsp([tu])://")  # as GStreamer and others name them
_FILE = re.compile(r"(?i)^https?(\+insecure)?://[^?#]*\.(avi|m4v|mkv|mov|mp4|webm)([?#]|$)")
_GAP_S = 0.5  # after a silence of this length frames have piled up on the way
_CATCH_UP_S = 2.0
_SLOWEST_QUEUE_S = 0.1
_USUAL_FPS = 25.0


class NetworkStream(Source):
    """The frames of a network stream, counted as captured when they arrive; a video file on a web server is not live and may end.

    RTSP travels over TCP; rtspu:// asks for UDP. What piled up before the first frame or during a silence is let go and counted in
    ``missed``, unless ``every`` frame is wanted. ``shown`` is the address as it may be printed.
    Raises ``SourceError`` when iterated where it can't be opened, is silent for longer than the timeout, or is live and ends.
    """

    def __init__(
        self, address: str, *, shown: str | None = None, timeout: float = 5.0, every: bool = False, live: bool | None = None
    ) -> None:
        live = _FILE.search(address) is None if live is None else live
        super().__init__(redact_address(shown or address), live=live, timeout=timeout)
        self._address, self._every = address, every

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
        try:
            capture = self._capture()
        except Exception as error:
            raise SourceError(f"a stream at {self.name}", redact_text(str(error), self._address), "check the address") from None
        if capture is None:
            silent = time.perf_counter() - started >= self.timeout * 0.9
            found, do = diagnose(self._address, self.timeout, silent=silent)
            raise SourceError(f"a stream at {self.name}", found, do)
        self.fps = frame_rate(capture)
        return capture

    def _capture(self) -> cv2.VideoCapture | None:
        if not self.live:
            return open_file(self._address, self.timeout)
        transport = "udp" if self._address.startswith("rtspu://") else "tcp"
        return open_stream(_TRANSPORT.sub("rtsp://", self._address), self.timeout, transport)

    def _broken(self, frames: int, waited: float) -> SourceError:
        wanted, do = f"a frame from {self.name}", "check the camera and the network, then run again"
        if waited >= self.timeout * 0.9:
            return SilenceError(wanted, f"none for {waited:.1f} s after {frames} frames", do)
        return SourceError(wanted, f"the stream ended after {frames} frames", do)


class Backlog:
    """Whether frames of a live stream come from a queue on the way: quicker than any camera takes them, at the start or after a gap."""

    def __init__(self, fps: float | None, wanted: bool) -> None:
        self._quick = min(0.5 / (fps or _USUAL_FPS), _SLOWEST_QUEUE_S)
        self._wanted = wanted
        self._until = time.perf_counter() + _CATCH_UP_S

    def holds(self, waited: float, now: float) -> bool:
        """Whether the frame that took ``waited`` seconds to come, at ``now``, is an old one, to be let go."""
        if waited >= _GAP_S:
            self._until = now + _CATCH_UP_S
        elif waited >= self._quick:
            self._until = now
        return self._wanted and waited < self._quick and now < self._until
