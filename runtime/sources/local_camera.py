"""A camera on this machine, by number or device path."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.redact import printable
from edgecnn.types import Frame
from edgecnn.videos.opencv_capture import as_bgr, frame_rate
from edgecnn.videos.opencv_logging import native_stderr_silenced, silence_video_logs

_OPTIONS = "size=WIDTHxHEIGHT, fps=NUMBER, fourcc=FOUR LETTERS"


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Requested size in pixels (width, height), frames per second, and pixel format such as MJPG; None leaves it to the camera."""

    size: tuple[int, int] | None = None
    fps: float | None = None
    fourcc: str | None = None

    @classmethod
    def parse(cls, query: str) -> CameraOptions:
        """The options in ``size=1280x720&fps=30&fourcc=MJPG``. Raises ``SourceError`` for anything else."""
        values = dict(parse_qsl(query, keep_blank_values=True))
        size = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", values.pop("size", "1x1"))
        fps = re.fullmatch(r"\d+(\.\d+)?", values.pop("fps", "1"))
        fourcc = values.pop("fourcc", "MJPG")
        if values or not size or not fps or not float(fps[0]) or len(fourcc) != 4:
            raise SourceError(f"{query} are no options of a camera", f"use {_OPTIONS}")
        return cls(
            size=(int(size[1]), int(size[2])) if "size=" in query else None,
            fps=float(fps[0]) if "fps=" in query else None,
            fourcc=fourcc if "fourcc=" in query else None,
        )

    def apply(self, capture: cv2.VideoCapture) -> None:
        """Set them; the pixel format first, because the available sizes and rates depend on it."""
        if self.fourcc is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*self.fourcc))
        if self.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.size[1])
        if self.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self.fps)

    def not_applied(self, width: float, height: float, fps: float, fourcc: str) -> list[str]:
        """What the camera gives instead of what was requested, a line each."""
        lines = []
        if self.size is not None and self.size != (round(width), round(height)):
            lines.append(f"{round(width)}x{round(height)} instead of {self.size[0]}x{self.size[1]} pixels")
        if self.fps is not None and abs(self.fps - fps) > 0.5:
            lines.append(f"{fps:g} instead of {self.fps:g} frames per second")
        if self.fourcc is not None and self.fourcc != fourcc:
            lines.append(f"pixels as {fourcc} instead of {self.fourcc}")
        return lines


class LocalCamera(Source):
    """The frames of a camera: ``device`` is a number (/dev/video0 is 0) or a path, also one that comes and goes with the camera.

    Options follow a question mark: ``0?size=1280x720&fps=30&fourcc=MJPG``; what the camera gives instead is told in ``notes``.
    Raises ``SourceError`` for unknown options, and when iterated where the camera is not there or sends nothing.
    """

    def __init__(self, device: str | int, *, timeout: float = 5.0) -> None:
        place, _, query = str(device).partition("?")
        self._device = Path(f"/dev/video{place}" if place.isdecimal() else place)
        self._options = CameraOptions.parse(query)
        number = self._device.name.removeprefix("video")
        numbered = str(self._device.parent) == "/dev" and number.isdecimal()
        super().__init__(f"camera {int(number)}" if numbered else f"camera {place}", live=True, timeout=timeout)

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._open()
        index = 0
        try:
            while True:
                asked = time.perf_counter()
                if not capture.grab():
                    raise self._broken(index, time.perf_counter() - asked)
                captured_at = time.perf_counter()
                with native_stderr_silenced():  # libjpeg warns of every stray byte that a camera sends
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
        number = self._device.resolve().name.removeprefix("video")  # what a link points to now
        linux = sys.platform == "linux"
        target = int(number) if number.isdecimal() else str(self._device)
        capture = cv2.VideoCapture(target, cv2.CAP_V4L2 if linux else cv2.CAP_ANY)
        if not capture.isOpened():
            raise SourceError(f"{self.name} can't be opened", "check that it is a camera and no other program uses it")
        self._options.apply(capture)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = frame_rate(capture)
        self._compare(capture)
        return capture

    def _compare(self, capture: cv2.VideoCapture) -> None:
        code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        fourcc = code.to_bytes(4, "little").decode("latin-1").strip("\0")
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self.notes[:] = [
            f"{self.name} gives {line}" for line in self._options.not_applied(width, height, self.fps or 0.0, fourcc)
        ]

    def _check_device(self) -> None:
        if sys.platform != "linux":
            return
        place = f"{self.name} at {printable(str(self._device))}" if str(self._device) not in self.name else self.name
        try:
            there = self._device.exists()
        except OSError:  # a name that is too long
            there = False
        if not there:
            cameras = ", ".join(sorted(path.name for path in Path("/dev").glob("video*"))) or "no camera"
            raise SourceError(f"{place} does not exist, there is {cameras}", "plug it in, or name another one")
        if not self._device.is_char_device():
            raise SourceError(f"{place} is not a device", "name a camera")
        if not os.access(self._device, os.R_OK | os.W_OK):
            raise SourceError(f"{place}: no permission to use it", "add your user to the group video")

    def _broken(self, frames: int, waited: float) -> SourceError:
        fix = "check its cable, then run again"
        if waited > self.timeout / 2:
            return SilenceError(f"{self.name}: no frame for {waited:.1f} s after {frames} frames", fix)
        return SourceError(f"{self.name}: it stopped after {frames} frames", fix)
