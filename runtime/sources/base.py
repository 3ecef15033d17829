"""What every source of frames is."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from edgecnn.errors import SourceError
from edgecnn.types import Event, Frame

_MOST_NAMED = 100


class SilenceError(SourceError):
    """A source that gave no frame for too long, though nobody hung up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A frame that could not be read: which, and why. The run goes on without it."""

    name: str
    reason: str


class Source(ABC):
    """Frames, one after the other: iterate it in one thread, which opens, reads and closes the device.

    ``name`` is fit to be printed (no passwords). ``live`` means that frames come at their own pace, wanted or not. ``fps`` is frames
    per second where the source says so, for files and cameras only once the first frame came. ``timeout`` is how many seconds a
    frame may take. ``failed`` counts the frames that could not be read, ``failures`` names the first of them, and ``notes`` collects
    what else a user should be told at the end. ``missed`` counts the frames that arrived and were let go unread because newer ones
    were there. ``state`` is "live", "waiting", "lost", "stalled" or "frozen" where a source watches itself, "" elsewhere, and ``detail``
    is one line on why. ``stuck`` names threads that hang in a driver and can't be ended.
    Iterating raises ``SourceError`` for a source that can't be opened, breaks, or is silent for longer than the timeout.
    """

    state: str = ""
    detail: str = ""

    def __init__(self, name: str, *, live: bool = False, fps: float | None = None, timeout: float = 5.0) -> None:
        self.name, self.live, self.fps, self.timeout = name, live, fps, timeout
        self.failed = self.missed = 0
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._closed = threading.Event()

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]:
        """Open the device, give its frames, and close it whatever happens."""

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
        if len(self.failures) < _MOST_NAMED and failure not in self.failures:
            self.failures.append(failure)

    @property
    def stuck(self) -> list[str]:
        """The names of threads of this source that hang in native code."""
        return []

    def take_events(self) -> list[Event]:
        """What happened since this was asked last, oldest first; from any thread."""
        return []

    def title(self, index: int) -> str:
        """What to call frame ``index`` before a user: a file name where there is one."""
        return f"frame {index}"

    def close(self) -> None:
        """Ask for the end, from any thread: the iterating thread closes the device at its next frame."""
        self._closed.set()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


class Pacer:
    """Holds frames back to a frame rate, as a camera would; wakes at once when ``stop`` is set."""

    def __init__(self, fps: float, stop: threading.Event) -> None:
        self._period, self._stop, self._start = 1 / fps, stop, time.perf_counter()

    def wait(self, tick: int) -> int:
        """Sleep until ``tick`` is due; gives the tick that is due then, a later one where the caller is behind."""
        early = self._start + tick * self._period - time.perf_counter()
        if early > 0:
            self._stop.wait(early)
            return tick
        return max(tick, int((time.perf_counter() - self._start) / self._period))
