"""A camera on this machine, by number."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.sources.capture import as_bgr, frame_rate
from edgecnn.runtime.sources.quiet import native_stderr_silenced, silence_video_logs
from edgecnn.types import Frame


class Camera(Source):
    """The frames of camera ``number`` (/dev/video0 is 0). Raises ``SourceError`` when iterated where it is not there or goes silent."""

    def __init__(self, number: int, *, timeout: float = 5.0) -> None:
        super().__init__(f"camera {number}", live=True, timeout=timeout)
        self._number = number

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._open()
        index = 0
        try:
            while True:
                asked = time.perf_counter()
                if not capture.grab():
                    raise self._broken(index, time.perf_counter() - asked)
                captured_at = time.perf_counter()
                found, image = capture.retrieve()
                if not found:
                    raise self._broken(index, 0.0)
                yield Frame(index, captured_at, as_bgr(image))
                index += 1
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        self._check_device()
        silence_video_logs()
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(max(round(self.timeout), 1))  # seconds; the only way to set it
        with native_stderr_silenced():
            capture = cv2.VideoCapture(self._number, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        if not capture.isOpened():
            raise SourceError(
                f"camera {self._number}",
                "a device that can't be opened",
                "check that it is a camera and no other program uses it",
            )
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = frame_rate(capture)
        return capture

    def _check_device(self) -> None:
        if sys.platform != "linux":
            return
        device = Path(f"/dev/video{self._number}")
        if not device.exists():
            there = ", ".join(sorted(path.name for path in device.parent.glob("video*"))) or "no camera at all"
            raise SourceError(f"camera {self._number} at {device}", there, "plug it in, or name another number")
        if not os.access(device, os.R_OK | os.W_OK):
            raise SourceError(f"camera {self._number} at {device}", "no permission to use it", "add your user to the group video")

    def _broken(self, frames: int, waited: float) -> SourceError:
        silent = f"none for {waited:.1f} s" if waited > self.timeout / 2 else "it stopped"
        return SourceError(
            f"a frame from camera {self._number}", f"{silent} after {frames} frames", "check its cable, then run again"
        )
