"""Strings that OpenCV itself understands: a GStreamer pipeline, or what FFmpeg takes for an address."""

from __future__ import annotations

import time
from collections.abc import Generator

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.network_stream import NetworkStream
from edgecnn.types import Frame
from edgecnn.videos.opencv_capture import as_bgr, frame_rate
from edgecnn.videos.opencv_logging import silence_video_logs


class GStreamerPipeline(Source):
    """The frames of a GStreamer pipeline that ends in ``appsink``. It is named by its first element, since the rest may hold passwords.

    Raises ``SourceError`` where this OpenCV has no GStreamer, and when iterated for a pipeline that does not start, breaks or ends.
    """

    def __init__(self, pipeline: str, *, timeout: float = 5.0, live: bool = True) -> None:
        self._pipeline = pipeline.strip()
        super().__init__(f"gst:{(self._pipeline.split() or [''])[0]}", live=live, timeout=timeout)
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            fix = "install one that has it (Debian: python3-opencv), or name the camera's address instead"
            raise SourceError(f"{self.name}: this build of OpenCV has no GStreamer", fix)
        if "appsink" not in self._pipeline:
            raise SourceError(f"{self.name}: the GStreamer pipeline has no appsink", "end it with: ! videoconvert ! appsink")

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._open()
        try:
            if not capture.isOpened():
                raise SourceError(f"{self.name}: the GStreamer pipeline does not start", "try it with gst-launch-1.0")
            self.fps = frame_rate(capture)
            yield from self._read(capture)
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        silence_video_logs()
        milliseconds = max(int(self.timeout * 1000), 1)
        settings = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
        capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER, settings)
        if not capture.isOpened():  # an OpenCV that knows no timeouts for GStreamer
            capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        return capture

    def _read(self, capture: cv2.VideoCapture) -> Generator[Frame, None, None]:
        index = 0
        while True:
            asked = time.perf_counter()
            found, image = capture.read()
            waited = time.perf_counter() - asked
            if found:
                yield Frame(index, asked + waited, as_bgr(image))
                index += 1
            elif not self.live and index:
                return
            else:
                kind = SilenceError if waited >= self.timeout * 0.9 else SourceError
                raise kind(f"{self.name}: no frame after {index} frames", "check the pipeline and its camera")


def open_ffmpeg_string(target: str, *, timeout: float = 5.0, every: bool = False, max_pixels: int | None = None) -> NetworkStream:
    """Whatever FFmpeg opens, such as srt://HOST:PORT, a device or a playlist; live unless every frame is wanted."""
    shown = target if "://" in target else f"ffmpeg:{target.partition('?')[0]}"
    return NetworkStream(
        target, shown=shown, timeout=timeout, every=every, live=not every, use_opencv=True, max_pixels=max_pixels
    )
