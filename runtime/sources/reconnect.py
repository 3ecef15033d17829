"""A live source that reconnects: after failures, silence and frozen images, with exponential back-off."""

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

GRACE_S = 1.0  # beyond max_silence_s, for the source to notice the silence itself and report the reason
OPENING_S = 6.0  # beyond max_silence_s, to connect, diagnose a failure and wait for the first frame
RELEASE_S = 1.0  # for a reader thread to release its device before it is abandoned
_MAX_FAILURES = 100


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
            raise ValueError(f"times must be above 0 and jitter from 0 to 1, not {self}")

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait before reconnect attempt number ``attempt``, counted from 0."""
        # the exponent is bounded, since a float overflows at 2.0 ** 1024 and a camera may be away for weeks
        longest = min(self.initial_delay_s * 2.0 ** min(attempt, 60), self.max_delay_s)
        return longest * (1 - self.jitter * random.random())


class ReconnectingSource(Source):
    """The frames of the live source that ``make`` creates, which is created anew whenever it fails; frame numbers continue.

    Frames are read in a thread of their own, so that a read that hangs in native code can be abandoned. It ends where the source ends
    without an error. Raises ``SourceError`` only where the first frame does not come within ``connect_timeout_s``, and
    ``ValueError`` for a source that is not live.
    """

    def __init__(self, make: Callable[[], Source], options: ReconnectOptions | None = None) -> None:
        self._options = options or ReconnectOptions()
        self._log = ConnectionLog()
        self._make = make
        self._inner: Source = make()
        if not self._inner.live:
            raise ValueError(f"only a live source can be reconnected, {self._inner.name} is a file")
        super().__init__(self._inner.name, live=True, fps=self._inner.fps, timeout=math.inf)
        self._used = False
        self._reader: ReaderThread | None = None
        self._abandoned: list[ReaderThread] = []
        self._frozen = FrozenDetector(self._options.frozen_after_s)
        self._error: Exception | None = None
        self._counted = (0, 0)
        self._delivered_s = -1.0  # from the first to the last frame of a connection, below 0 where none came
        self._inner_notes: list[str] = []

    @property
    def state(self) -> str:  # type: ignore[override]  # set by the log alone
        """ "waiting" for the first frame, "live", "lost", "stalled", "frozen", "ended" or "failed"."""
        return self._log.state

    @property
    def detail(self) -> str:  # type: ignore[override]
        """The reason in one line; empty while it is live."""
        return self._log.detail

    @property
    def stuck(self) -> list[str]:
        """The names of the reader threads that hang in native code."""
        return [reader.name for reader in self._abandoned if reader.is_alive()]

    def take_events(self) -> list[Event]:
        """The events of the connection since the last call, oldest first."""
        return self._log.take_events()

    def close(self) -> None:
        """Request the end, from any thread."""
        super().close()
        reader = self._reader
        if reader is not None:
            reader.stop()

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
                attempt = 0 if self._delivered_s >= self._options.reset_after_s else attempt
                delay = self._options.delay_s(attempt)
                self._check_connect_timeout(self._error, time.perf_counter() - began + delay)
                self._closed.wait(delay)
                attempt += 1
        except EdgeCnnError:
            end = "failed"
            raise
        finally:
            self._log.close(end)
            self._update_notes()

    def _check_connect_timeout(self, error: Exception, waited: float) -> None:
        if isinstance(error, EdgeCnnError) and not isinstance(error, SourceError):
            raise error  # such as a wrong option, which no further attempt corrects
        if not self._log.connected_once and waited > self._options.connect_timeout_s:
            raise error if isinstance(error, EdgeCnnError) else self._failure(self._reason(error))

    # one connection

    def _connection(self) -> Generator[Frame, None, None]:
        """The frames of one connection; afterwards ``_error`` is why it failed, None where the source ended."""
        self._error, self._delivered_s = self._too_many_stuck(), -1.0
        if self._error is not None:
            self._log.report_problem("stalled", self._reason(self._error))
            return
        reader = self._start()
        frozen_before = self._frozen.frozen
        frames, first = 0, 0.0
        try:
            while isinstance(item := reader.get(self._max_wait_s(frames)), Frame):
                self._count()
                self._observe(item)
                yield item
                first = first if frames else item.captured_at
                frames, self._delivered_s = frames + 1, item.captured_at - first
                if self._frozen.frozen and not frozen_before:  # reconnect once; a scene that is really still stays frozen
                    self._error = self._failure("the image does not change")
                    return
                frozen_before = self._frozen.frozen
            self._count()
            if not self._closed.is_set():
                self._error = self._end_of_connection(item, frames)
        finally:
            self._release(reader)

    def _start(self) -> ReaderThread:
        if self._used:
            self._inner = self._make()
        self._used, self._counted = True, (0, 0)
        reader = self._reader = ReaderThread(self._inner)
        if self._closed.is_set():  # by another thread, which did not see this reader yet
            reader.stop()
        return reader

    def _max_wait_s(self, frames: int) -> float:
        return self._options.max_silence_s + (GRACE_S if frames else OPENING_S)

    def _observe(self, frame: Frame) -> None:
        """Log a frame, and that the camera is frozen."""
        was = self._frozen.frozen
        frozen = self._frozen.update(frame.image, time.perf_counter())
        height, width = frame.image.shape[:2]
        self._log.report_frame((width, height), frozen=frozen)
        self.fps = self._inner.fps
        if frozen and not was:
            self._log.report_problem("frozen", f"the same image for {self._options.frozen_after_s:g} s")

    def _end_of_connection(self, item: EndOfStream | None, frames: int) -> Exception | None:
        """Why a connection ended, which is logged; None where the source ended without an error."""
        if isinstance(item, EndOfStream) and item.error is None:
            return None
        error = item.error if isinstance(item, EndOfStream) and item.error is not None else self._hangs(frames)
        silent = item is None or isinstance(error, SilenceError)
        self._log.report_problem("stalled" if silent and frames else "lost", self._reason(error))
        return error

    def _hangs(self, frames: int) -> SourceError:
        return self._failure(f"no frame for {self._max_wait_s(frames):.1f} s, the driver hangs")

    def _failure(self, reason: str) -> SourceError:
        return SourceError(f"{self.name}: {reason}", "check the camera, then run again")

    def _reason(self, error: Exception) -> str:
        """The error in one line without secrets, and without the name, which stands beside it."""
        if isinstance(error, EdgeCnnError):
            return error.problem.removeprefix(f"{self.name}: ")
        return redact_text(f"{type(error).__name__}: {error}")

    def _release(self, reader: ReaderThread) -> None:
        """Stop the reader; one that hangs is abandoned."""
        if not reader.join(RELEASE_S):
            self._abandoned = [*(other for other in self._abandoned if other.is_alive()), reader]
        self._count()
        new = [failure for failure in self._inner.failures if failure not in self.failures]
        self.failures += new[: _MAX_FAILURES - len(self.failures)]
        self._update_notes()

    def _too_many_stuck(self) -> SourceError | None:
        alive = len(self.stuck)
        if alive < self._options.max_stuck_threads:
            return None
        return self._failure(f"{alive} reader threads hang in its driver")

    def _count(self) -> None:
        """Add what the source of this connection counted since the last call."""
        failed, missed = self._inner.failed, self._inner.missed
        self.failed += failed - self._counted[0]
        self.missed += missed - self._counted[1]
        self._counted = failed, missed

    def _update_notes(self) -> None:
        self._inner_notes += [note for note in self._inner.notes if note not in self._inner_notes]
        self.notes[:] = [*self._inner_notes, *self._log.summary(self.name)]
