"""Watches a source for a time by the clock, also while no frames come, and tells what is going on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from edgecnn.runtime.sources import ReconnectOptions, Source, open_source
from edgecnn.runtime.sources.images import ImageFiles
from edgecnn.types import Frame

USUAL_FPS = 25.0  # of a video that does not say its own
LOOK_S = 0.25  # so often the clock is looked at
SILENT_S = 1.0  # without a frame for so long, the state of the source is told
Tell = Callable[[str, float], None]


def opened(address: str) -> Source:
    """The source; a camera that is lost is connected again, and the scene is rendered as fast as it goes, by its own clock."""
    return open_source(address, paced=False if address.startswith("scene:") else None, reconnect=ReconnectOptions())


class Watch:
    """The frames of a source from second ``watched_s`` to ``limit_s``, with the second of each; use it in a ``with`` block.

    A live source goes on where it was left, and ends by the clock even if no frames come. What was watched of a file is passed over; the
    images of a folder are ``still_s`` seconds apart. ``tell`` gets what is going on while no frame is given, from another thread, and
    the second. Iterating raises what the source raises.
    """

    def __init__(self, source: Source, watched_s: float, limit_s: float, still_s: float, tell: Tell) -> None:
        self._source, self._from_s, self._limit_s, self._still_s, self._tell = source, watched_s, limit_s, still_s, tell
        self._began = math.inf  # the clock at the first frame of a live source
        self._silent_since = time.perf_counter()
        self._passing_over = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="adapt-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._source.close()
        self._thread.join()

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        for frame in self._source:
            at = self._second(frame)
            if at > self._limit_s:
                return
            self._passing_over = at < self._from_s
            if not self._passing_over:
                yield at, frame
                self._silent_since = time.perf_counter()

    def _second(self, frame: Frame) -> float:
        source = self._source
        if source.live:
            self._began = min(self._began, frame.captured_at)
            return self._from_s + frame.captured_at - self._began
        if isinstance(source, ImageFiles):
            return frame.index * self._still_s
        return frame.index / (source.fps or USUAL_FPS) if frame.media_time is None else frame.media_time

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            now = time.perf_counter()
            at = self._from_s + max(now - self._began, 0.0) if self._source.live else self._from_s
            if at > self._limit_s:
                self._source.close()
            elif now - self._silent_since > SILENT_S:
                self._tell(self._words(), at)

    def _words(self) -> str:
        if self._passing_over:
            return "passing over what was watched before"
        if self._source.live and self._source.state not in ("", "live", "waiting"):
            return f"the camera is {self._source.state}: {self._source.detail}"
        return "waiting for a frame"
