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
from edgecnn.runtime.sources.opencv_capture import as_bgr, frame_rate
from edgecnn.runtime.sources.opencv_logging import native_stderr_silenced, silence_video_logs
from edgecnn.types import Frame

_OPTIONS = "size=WIDTHxHEIGHT, fps=NUMBER, fourcc=FOUR LETTERS"


@dataclass(frozen=True, slots=True)
class CameraWishes:
    """What a camera is asked for: pixels (width, height), frames per second, and pixel format such as MJPG."""

    size: tuple[int, int] | None = None
    fps: float | None = None
    fourcc: str | None = None

    @classmethod
    def parse(cls, query: str) -> CameraWishes:
        """The wishes in ``size=1280x720&fps=30&fourcc=MJPG``. Raises ``SourceError`` for anything else."""
        values = dict(parse_qsl(query, keep_blank_values=True))
        size = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", values.pop("size", "1x1"))
        fps = re.fullmatch(r"\d+(\.\d+)?", values.pop("fps", "1"))
        fourcc = values.pop("fourcc", "MJPG")
        if values or not size or not fps or not float(fps[0]) or len(fourcc) != 4:
            raise SourceError(f"options of a camera ({_OPTIONS})", query, "correct them")
        return cls(
            size=(int(size[1]), int(size[2])) if "size=" in query else None,
            fps=float(fps[0]) if "fps=" in query else None,
            fourcc=fourcc if "fourcc=" in query else None,
        )

    def ask(self, capture: cv2.VideoCapture) -> None:
        """Tell the camera; the pixel format first, because sizes and rates hang on it."""
        if self.fourcc is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*self.fourcc))
        if self.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.size[1])
        if self.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self.fps)

    def refused(self, width: float, height: float, fps: float, fourcc: str) -> list[str]:
        """What the camera gives instead of what was asked for."""
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
    Raises ``SourceError`` for options that there are not, and when iterated where the camera is not there or goes silent.
    """

    def __init__(self, device: str | int, *, timeout: float = 5.0) -> None:
        place, _, query = str(device).partition("?")
        self._device = Path(f"/dev/video{place}" if place.isdecimal() else place)
        self._wishes = CameraWishes.parse(query)
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
                with native_stderr_silenced():  # libjpeg tells of every byte too much that a camera sends
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
            raise SourceError(
                self.name, "a device that can't be opened", "check that it is a camera and no other program uses it"
            )
        self._wishes.ask(capture)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = frame_rate(capture)
        self._compare(capture)
        return capture

    def _compare(self, capture: cv2.VideoCapture) -> None:
        code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        fourcc = code.to_bytes(4, "little").decode("latin-1").strip("\0")
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self.notes[:] = [f"{self.name} gives {line}" for line in self._wishes.refused(width, height, self.fps or 0.0, fourcc)]

    def _check_device(self) -> None:
        if sys.platform != "linux":
            return
        wanted = f"{self.name} at {self._device}" if str(self._device) not in self.name else self.name
        if not self._device.exists():
            there = ", ".join(sorted(path.name for path in Path("/dev").glob("video*"))) or "no camera at all"
            raise SourceError(wanted, there, "plug it in, or name another one")
        if not self._device.is_char_device():
            raise SourceError(wanted, "no device", "name a camera")
        if not os.access(self._device, os.R_OK | os.W_OK):
            raise SourceError(wanted, "no permission to use it", "add your user to the group video")

    def _broken(self, frames: int, waited: float) -> SourceError:
        wanted, do = f"a frame from {self.name}", "check its cable, then run again"
        if waited > self.timeout / 2:
            return SilenceError(wanted, f"none for {waited:.1f} s after {frames} frames", do)
        return SourceError(wanted, f"it stopped after {frames} frames", do)
