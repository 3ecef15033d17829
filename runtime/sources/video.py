"""A video file."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.images.header import UnreadableImage
from edgecnn.runtime.sources.base import Pacer, Source
from edgecnn.types import Frame
from edgecnn.videos.capture import VideoCapture, open_file

_USUAL_FPS = 30.0


class VideoFile(Source):
    """The frames of a video file, ``repeat`` times over (0: without end), as fast as they are taken or ``paced`` by their
    times like a live camera.

    ``max_pixels`` is the most of a frame, as of ``pixel_limit``. Frames have the time stamps of the file as their
    ``media_time`` where it has some; a repeated video goes on counting.
    A file that ends before its header says is told in ``notes``. Raises ``SourceError`` when iterated where it holds no video.
    """

    def __init__(
        self, path: Path, *, repeat: int = 1, paced: bool = False, timeout: float = 5.0, max_pixels: int | None = None
    ) -> None:
        super().__init__(str(path), live=paced, timeout=timeout)
        self._path, self._repeat, self._max_pixels = path, repeat, max_pixels
        self._start = 0.0  # media time at which the current round begins, in seconds

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

    def count(self) -> int | None:
        """The number of frames by the header; None where it says none. Raises as iterating."""
        capture = self._open()
        try:
            return capture.frame_count
        finally:
            capture.release()

    def _open(self) -> VideoCapture:
        try:
            capture = open_file(str(self._path), self.timeout, self._max_pixels)
        except UnreadableImage as error:
            raise SourceError(f"{self.name}: {error}", "check that it is a video, or raise the limit") from None
        if capture is None:
            raise SourceError(f"{self.name} can't be read as a video", "check it, or name an image or a video")
        self.fps = capture.fps
        return capture

    def _one_pass(self, capture: VideoCapture, index: int, pacer: Pacer | None) -> Generator[Frame, None, int]:
        first, media_time = index, None
        while True:
            started = time.perf_counter()
            if index == self.span[1]:
                return index
            if not capture.grab():
                break
            if index < self.span[0]:  # decoded, since later frames are made from it, but not converted
                index += 1
                continue
            media_time = None if capture.time is None else self._start + capture.time
            if pacer is not None:
                # a camera captures a frame when it is shown
                pacer.wait_for(index / (self.fps or _USUAL_FPS) if media_time is None else media_time)
                started = time.perf_counter()
            image = capture.retrieve()
            if image is None:
                break
            yield Frame(index, started, image, media_time)
            index += 1
        if index == first:
            raise SourceError(f"{self.name} holds no frame that can be read", "check or replace the file")
        if media_time is not None:
            self._start = media_time + 1 / (self.fps or _USUAL_FPS)
        self._note_missing(capture.missing())
        return index

    def _note_missing(self, missing: str | None) -> None:
        note = f"{self._path.name} ends early: {missing}"
        if missing is not None and note not in self.notes:
            self.notes.append(note)
