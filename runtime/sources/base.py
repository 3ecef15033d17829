"""The interface of every source of frames."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.redact import printable
from edgecnn.types import Event, Frame

_MAX_FAILURES = 100


class SilenceError(SourceError):
    """No frame arrived within the timeout, though the connection is open."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A frame that could not be read, and the reason; the run continues without it."""

    name: str
    reason: str


class Source(ABC):
    """An iterable of frames; the thread that iterates it opens, reads and closes the device.

    ``name`` is safe to print (no passwords). ``live`` means that frames come at their own rate. ``fps`` is the frame rate by the
    source's own header, for files and cameras known from the first frame on. ``timeout`` is the longest time to a frame in seconds.
    ``failed`` counts the frames that could not be read, ``failures`` names the first of them, ``notes`` are lines for the user at the
    end of the run. ``missed`` counts the frames that arrived and were dropped unread because newer ones were there. ``state`` is
    "live", "waiting", "lost", "stalled" or "frozen" where a source monitors itself, "" elsewhere, and ``detail`` is the reason in one
    line. ``stuck`` names threads that hang in a driver and can't be stopped.
    ``span`` are the first frame that is given and the one before which the source ends (None: none); only images and video files
    that are played once keep to it, and their frames keep their numbers.
    Iterating raises ``SourceError`` for a source that can't be opened, breaks, or is silent for longer than the timeout.
    """

    state: str = ""
    detail: str = ""

    def __init__(self, name: str, *, live: bool = False, fps: float | None = None, timeout: float = 5.0) -> None:
        self.name, self.live, self.fps, self.timeout = printable(name), live, fps, timeout
        self.failed = self.missed = 0
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._closed = threading.Event()
        self.span: tuple[int, int | None] = (0, None)

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]:
        """Open the device, yield its frames, and close it in every case."""

    def __iter__(self) -> Generator[Frame, None, None]:
        frames = self._frames()
        try:
            for frame in frames:
                if self._closed.is_set():
                    return
                yield frame
        finally:
            frames.close()

    def fail(self, name: str, reason: str) -> None:
        """Count a frame that could not be read."""
        self.failed += 1
        failure = Failure(name, reason)
        if len(self.failures) < _MAX_FAILURES and failure not in self.failures:
            self.failures.append(failure)

    @property
    def stuck(self) -> list[str]:
        """The names of threads of this source that hang in native code."""
        return []

    def take_events(self) -> list[Event]:
        """The events since the last call, oldest first; from any thread."""
        return []

    def title(self, index: int) -> str:
        """A label for frame ``index``: its file name where it has one."""
        return f"frame {index}"

    def close(self) -> None:
        """Request the end, from any thread: the iterating thread closes the device at its next frame."""
        self._closed.set()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


class Pacer:
    """Delays frames to a frame rate, as a camera would; returns at once when ``stop`` is set."""

    def __init__(self, fps: float, stop: threading.Event) -> None:
        self._period, self._stop, self._start = 1 / fps, stop, time.perf_counter()

    def wait_for(self, at: float) -> bool:
        """Sleep until ``at`` seconds from the start; False where that is over."""
        early = self._start + at - time.perf_counter()
        if early > 0:
            self._stop.wait(early)
        return early > 0

    def wait(self, tick: int) -> int:
        """Sleep until ``tick`` is due; returns the tick that is due then, a later one where the caller is behind."""
        if self.wait_for(tick * self._period):
            return tick
        return max(tick, int((time.perf_counter() - self._start) / self._period))
