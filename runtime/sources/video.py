"""A video file."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import cv2

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Pacer, Source
from edgecnn.runtime.sources.opencv_capture import frame_rate, open_file, read_next
from edgecnn.types import Frame

_USUAL_FPS = 30.0


class VideoFile(Source):
    """The frames of a video file, ``repeat`` times over (0: without end), as fast as they are taken or ``paced`` like a live camera.

    A file that ends before its header says is told in ``notes``. Raises ``SourceError`` when iterated where it holds no video.
    """

    def __init__(self, path: Path, *, repeat: int = 1, paced: bool = False, timeout: float = 5.0) -> None:
        super().__init__(str(path), live=paced, timeout=timeout)
        self._path, self._repeat = path, repeat

    def _frames(self) -> Generator[Frame, None, None]:
        index = rounds = 0
        pacer: Pacer | None = None
        while not self._repeat or rounds < self._repeat:
            capture = self._open()
            if self.live and pacer is None:
                pacer = Pacer(self.fps or _USUAL_FPS, self._closed)
            try:
                index = yield from self._one_pass(capture, index, pacer)
            finally:
                capture.release()
            rounds += 1

    def _open(self) -> cv2.VideoCapture:
        capture = open_file(str(self._path), self.timeout)
        if capture is None:
            raise SourceError(
                f"a video at {self.name}", "a file that can't be read as one", "check it, or name an image or a video"
            )
        self.fps = frame_rate(capture)
        return capture

    def _one_pass(self, capture: cv2.VideoCapture, index: int, pacer: Pacer | None) -> Generator[Frame, None, int]:
        first = index
        while True:
            if pacer is not None:
                pacer.wait(index)
            started = time.perf_counter()
            image = read_next(capture)
            if image is None:
                break
            yield Frame(index, started, image)
            index += 1
        self._check_length(index - first, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        return index

    def _check_length(self, read: int, promised: int) -> None:
        if not read:
            raise SourceError(f"a video at {self.name}", "no frame that can be read", "check or replace the file")
        note = f"{self._path.name} ends early: its header says {promised} frames, {read} could be read"
        if read < promised - 1 and note not in self.notes:  # where the header gives only a duration, the count is off by one
            self.notes.append(note)
