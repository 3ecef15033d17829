"""A live source that survives: it connects again, notices silence and frozen pictures, and says what happened."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.connection_log import ConnectionLog
from edgecnn.runtime.sources.frozen_detection import FrozenDetector
from edgecnn.runtime.sources.reader_thread import EndOfStream, ReaderThread
from edgecnn.runtime.sources.redact import redact_text
from edgecnn.types import Event, Frame

GRACE_S = 1.0  # a source may take this much longer than the longest silence to notice it by itself and say why
OPENING_S = 6.0  # and this much while it connects, asks why it failed, and waits for the first picture
LEAVE_S = 1.0  # how long a reader may take to let its device go before it is left behind


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectOptions:
    """When and how often a live source is reconnected; times are in seconds.

    A connection without frames for ``max_silence_s`` is closed. Reconnect attempt n = 0, 1, ... waits ``initial_delay_s`` * 2^n, at
    most ``max_delay_s``, less a random share of up to ``jitter``; after a connection that delivered frames for ``reset_after_s`` n
    starts at 0 again. ``connect_timeout_s`` is how long the first frame may take: 0 makes one attempt, math.inf waits for ever.
    The same image for ``frozen_after_s`` is reported, and the camera reconnected once per freeze; None disables the check.
    ``max_stuck_threads`` is how many reader threads may hang in native code before no further one is started.
    """

    max_silence_s: float = 5.0
    initial_delay_s: float = 0.5
    max_delay_s: float = 10.0
    jitter: float = 0.5
    reset_after_s: float = 5.0
    connect_timeout_s: float = 0.0
    frozen_after_s: float | None = 30.0
    max_stuck_threads: int = 4

    def __post_init__(self) -> None:
        positive = (self.max_silence_s, self.initial_delay_s, self.max_delay_s, self.max_stuck_threads)
        fine = min(positive) > 0 and 0 <= self.jitter <= 1 and min(self.reset_after_s, self.connect_timeout_s) >= 0
        if not fine or (self.frozen_after_s is not None and self.frozen_after_s <= 0):
            raise ValueError(f"wanted times above 0 and a jitter of 0 to 1, found {self}: correct them")

    def wait(self, attempt: int) -> float:
        """Seconds to wait before connecting again for the (attempt + 1)-th time."""
        longest = min(self.initial_delay_s * 2.0 ** min(attempt, 60), self.max_delay_s)
        return longest * (1 - self.jitter * random.random())


class ReconnectingSource(Source):
    """The frames of the live source that ``make`` makes, connected again whenever it breaks; frame numbers go on.

    A thread of its own reads, so that one which hangs in native code can be left behind. It ends where the source ends without an
    error. Raises ``SourceError`` only where the first picture does not come within the patience, and ``ValueError`` for a source that
    is not live.
    """

    def __init__(self, make: Callable[[], Source], steadiness: ReconnectOptions | None = None) -> None:
        self._how = steadiness or ReconnectOptions()
        self._log = ConnectionLog()
        self._make = make
        self._inner: Source = make()
        if not self._inner.live:
            raise ValueError(f"wanted a live source, found {self._inner.name}: a file needs nobody to keep it alive")
        super().__init__(self._inner.name, live=True, fps=self._inner.fps, timeout=math.inf)
        self._used = False
        self._reader: ReaderThread | None = None
        self._left_behind: list[ReaderThread] = []
        self._frozen = FrozenDetector(self._how.frozen_after_s)
        self._error: Exception | None = None
        self._counted = (0, 0)
        self._held = -1.0  # seconds from the first to the last picture of a connection, below 0 where none came
        self._told: list[str] = []

    @property
    def state(self) -> str:  # type: ignore[override]  # nobody but the journal sets it
        """What the camera is doing: "waiting" for its first picture, "live", "lost", "stalled", "frozen", "ended" or "failed"."""
        return self._log.state

    @property
    def detail(self) -> str:  # type: ignore[override]
        """Why, in one line; empty while it is live."""
        return self._log.detail

    @property
    def stuck(self) -> list[str]:
        """The names of the reading threads that hang in native code."""
        return [reader.name for reader in self._left_behind if reader.is_alive()]

    def take_events(self) -> list[Event]:
        """What happened to the connection since the last call, oldest first."""
        return self._log.take_events()

    def close(self) -> None:
        """Ask for the end, from any thread."""
        super().close()
        reader = self._reader
        if reader is not None:
            reader.wake()

    def _frames(self) -> Generator[Frame, None, None]:
        index = attempt = 0
        began = time.perf_counter()
        end = "ended"
        try:
            while not self._closed.is_set():
                with closing(self._connection()) as frames:
                    for frame in frames:
                        yield Frame(index, frame.captured_at, frame.image)
                        index += 1
                if self._error is None or self._closed.is_set():
                    return
                attempt = 0 if self._held >= self._how.reset_after_s else attempt
                wait = self._how.wait(attempt)
                self._check_patience(self._error, time.perf_counter() - began + wait)
                self._closed.wait(wait)
                attempt += 1
        except EdgeCnnError:
            end = "failed"
            raise
        finally:
            self._log.end(end)
            self._note()

    def _check_patience(self, error: Exception, waited: float) -> None:
        if isinstance(error, EdgeCnnError) and not isinstance(error, SourceError):
            raise error  # nothing that time heals
        if not self._log.seen and waited > self._how.connect_timeout_s:
            raise error if isinstance(error, EdgeCnnError) else self._broke(_reason(error))

    # one connection

    def _connection(self) -> Generator[Frame, None, None]:
        """The frames of one connection; ``_error`` says afterwards why it broke, None that the source ended."""
        self._error, self._held = self._too_many_stuck(), -1.0
        if self._error is not None:
            self._log.trouble("stalled", _reason(self._error))
            return
        reader = self._start()
        frozen_before = self._frozen.frozen
        frames, first = 0, 0.0
        try:
            while isinstance(item := reader.get(self._longest(frames)), Frame):
                self._count()
                self._look(item)
                yield item
                first = first if frames else item.captured_at
                frames, self._held = frames + 1, item.captured_at - first
                if self._frozen.frozen and not frozen_before:
                    self._error = self._broke("the same picture again and again")
                    return
                frozen_before = self._frozen.frozen
            self._count()
            if not self._closed.is_set():
                self._error = self._why(item, frames)
        finally:
            self._leave(reader)

    def _start(self) -> ReaderThread:
        if self._used:
            self._inner = self._make()
        self._used, self._counted = True, (0, 0)
        reader = self._reader = ReaderThread(self._inner)
        if self._closed.is_set():  # since the loop looked
            reader.wake()
        return reader

    def _longest(self, frames: int) -> float:
        return self._how.max_silence_s + (GRACE_S if frames else OPENING_S)

    def _look(self, frame: Frame) -> None:
        """Book a picture, and that it is frozen."""
        was = self._frozen.frozen
        frozen = self._frozen.look(frame.image, time.perf_counter())
        height, width = frame.image.shape[:2]
        self._log.picture((width, height), frozen=frozen)
        self.fps = self._inner.fps
        if frozen and not was:
            self._log.trouble("frozen", f"the same picture for {self._how.frozen_after_s:g} s")

    def _why(self, item: EndOfStream | None, frames: int) -> Exception | None:
        """What ended a connection; None where the source ended in order."""
        if isinstance(item, EndOfStream) and item.error is None:
            return None
        error = item.error if isinstance(item, EndOfStream) and item.error is not None else self._hangs(frames)
        silent = item is None or isinstance(error, SilenceError)
        self._log.trouble("stalled" if silent and frames else "lost", _reason(error))
        return error

    def _hangs(self, frames: int) -> SourceError:
        return self._broke(f"none for {self._longest(frames):.1f} s, the driver hangs")

    def _broke(self, found: str) -> SourceError:
        return SourceError(f"a frame from {self.name}", found, "check the camera, then run again")

    def _leave(self, reader: ReaderThread) -> None:
        """Let the reader's device go; a reader that hangs is left behind."""
        if not reader.end(LEAVE_S):
            self._left_behind = [*(left for left in self._left_behind if left.is_alive()), reader]
        self._count()
        self.failures += [failure for failure in self._inner.failures if failure not in self.failures][: 100 - len(self.failures)]
        self._note()

    def _too_many_stuck(self) -> SourceError | None:
        alive = len(self.stuck)
        return self._broke(f"{alive} readers that hang in its driver") if alive >= self._how.max_stuck_threads else None

    def _count(self) -> None:
        """Take over what the source of this connection counted."""
        failed, missed = self._inner.failed, self._inner.missed
        self.failed += failed - self._counted[0]
        self.missed += missed - self._counted[1]
        self._counted = failed, missed

    def _note(self) -> None:
        self._told += [note for note in self._inner.notes if note not in self._told]
        self.notes[:] = [*self._told, *self._log.story(self.name)]


def _reason(error: Exception) -> str:
    """What was found, in one line without secrets."""
    return error.found if isinstance(error, EdgeCnnError) else redact_text(f"{type(error).__name__}: {error}")
