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
from edgecnn.runtime.sources.connection_log import Journal
from edgecnn.runtime.sources.frozen_detection import FrozenWatch
from edgecnn.runtime.sources.reader_thread import Ended, Reader
from edgecnn.runtime.sources.redact import scrub
from edgecnn.types import Event, Frame

GRACE_S = 1.0  # a source may take this much longer than the longest silence to notice it by itself and say why
OPENING_S = 6.0  # and this much while it connects, asks why it failed, and waits for the first picture
LEAVE_S = 1.0  # how long a reader may take to let its device go before it is left behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """How a live source is kept alive; times are in seconds.

    A connection that is silent for ``max_silence`` is given up. Attempt n = 0, 1, ... waits ``first_wait`` * 2^n, at most
    ``longest_wait``, less a random share of up to ``jitter``; a connection that held for ``settled`` counts anew. ``patience`` is how
    long the first picture may take to come: 0 for one attempt, math.inf for ever. The same picture for ``frozen_after`` is reported
    and the camera connected anew, once in such a stretch; None does not look. ``most_stuck`` is how many readers may hang in native
    code before no further one is begun.
    """

    max_silence: float = 5.0
    first_wait: float = 0.5
    longest_wait: float = 10.0
    jitter: float = 0.5
    settled: float = 5.0
    patience: float = 0.0
    frozen_after: float | None = 30.0
    most_stuck: int = 4

    def __post_init__(self) -> None:
        positive = (self.max_silence, self.first_wait, self.longest_wait, self.most_stuck)
        fine = min(positive) > 0 and 0 <= self.jitter <= 1 and min(self.settled, self.patience) >= 0
        if not fine or (self.frozen_after is not None and self.frozen_after <= 0):
            raise ValueError(f"wanted times above 0 and a jitter of 0 to 1, found {self}: correct them")

    def wait(self, attempt: int) -> float:
        """Seconds to wait before connecting again for the (attempt + 1)-th time."""
        longest = min(self.first_wait * 2.0 ** min(attempt, 60), self.longest_wait)
        return longest * (1 - self.jitter * random.random())


class Steady(Source):
    """The frames of the live source that ``make`` makes, connected again whenever it breaks; frame numbers go on.

    A thread of its own reads, so that one which hangs in native code can be left behind. It ends where the source ends without an
    error. Raises ``SourceError`` only where the first picture does not come within the patience, and ``ValueError`` for a source that
    is not live.
    """

    def __init__(self, make: Callable[[], Source], steadiness: Steadiness | None = None) -> None:
        self._how = steadiness or Steadiness()
        self._journal = Journal()
        self._make = make
        self._inner: Source = make()
        if not self._inner.live:
            raise ValueError(f"wanted a live source, found {self._inner.name}: a file needs nobody to keep it alive")
        super().__init__(self._inner.name, live=True, fps=self._inner.fps, timeout=math.inf)
        self._used = False
        self._reader: Reader | None = None
        self._left_behind: list[Reader] = []
        self._frozen = FrozenWatch(self._how.frozen_after)
        self._error: Exception | None = None
        self._counted = (0, 0)
        self._held = -1.0  # seconds from the first to the last picture of a connection, below 0 where none came
        self._told: list[str] = []

    @property
    def state(self) -> str:  # type: ignore[override]  # nobody but the journal sets it
        """What the camera is doing: "waiting" for its first picture, "live", "lost", "stalled", "frozen", "ended" or "failed"."""
        return self._journal.state

    @property
    def detail(self) -> str:  # type: ignore[override]
        """Why, in one line; empty while it is live."""
        return self._journal.detail

    @property
    def stuck(self) -> list[str]:
        """The names of the reading threads that hang in native code."""
        return [reader.name for reader in self._left_behind if reader.is_alive()]

    def take_events(self) -> list[Event]:
        """What happened to the connection since the last call, oldest first."""
        return self._journal.take_events()

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
                attempt = 0 if self._held >= self._how.settled else attempt
                wait = self._how.wait(attempt)
                self._check_patience(self._error, time.perf_counter() - began + wait)
                self._closed.wait(wait)
                attempt += 1
        except EdgeCnnError:
            end = "failed"
            raise
        finally:
            self._journal.end(end)
            self._note()

    def _check_patience(self, error: Exception, waited: float) -> None:
        if isinstance(error, EdgeCnnError) and not isinstance(error, SourceError):
            raise error  # nothing that time heals
        if not self._journal.seen and waited > self._how.patience:
            raise error if isinstance(error, EdgeCnnError) else self._broke(_reason(error))

    # one connection

    def _connection(self) -> Generator[Frame, None, None]:
        """The frames of one connection; ``_error`` says afterwards why it broke, None that the source ended."""
        self._error, self._held = self._too_many_stuck(), -1.0
        if self._error is not None:
            self._journal.trouble("stalled", _reason(self._error))
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

    def _start(self) -> Reader:
        if self._used:
            self._inner = self._make()
        self._used, self._counted = True, (0, 0)
        reader = self._reader = Reader(self._inner)
        if self._closed.is_set():  # since the loop looked
            reader.wake()
        return reader

    def _longest(self, frames: int) -> float:
        return self._how.max_silence + (GRACE_S if frames else OPENING_S)

    def _look(self, frame: Frame) -> None:
        """Book a picture, and that it is frozen."""
        was = self._frozen.frozen
        frozen = self._frozen.look(frame.image, time.perf_counter())
        height, width = frame.image.shape[:2]
        self._journal.picture((width, height), frozen=frozen)
        self.fps = self._inner.fps
        if frozen and not was:
            self._journal.trouble("frozen", f"the same picture for {self._how.frozen_after:g} s")

    def _why(self, item: Ended | None, frames: int) -> Exception | None:
        """What ended a connection; None where the source ended in order."""
        if isinstance(item, Ended) and item.error is None:
            return None
        error = item.error if isinstance(item, Ended) and item.error is not None else self._hangs(frames)
        silent = item is None or isinstance(error, SilenceError)
        self._journal.trouble("stalled" if silent and frames else "lost", _reason(error))
        return error

    def _hangs(self, frames: int) -> SourceError:
        return self._broke(f"none for {self._longest(frames):.1f} s, the driver hangs")

    def _broke(self, found: str) -> SourceError:
        return SourceError(f"a frame from {self.name}", found, "check the camera, then run again")

    def _leave(self, reader: Reader) -> None:
        """Let the reader's device go; a reader that hangs is left behind."""
        if not reader.end(LEAVE_S):
            self._left_behind = [*(left for left in self._left_behind if left.is_alive()), reader]
        self._count()
        self.failures += [failure for failure in self._inner.failures if failure not in self.failures][: 100 - len(self.failures)]
        self._note()

    def _too_many_stuck(self) -> SourceError | None:
        alive = len(self.stuck)
        return self._broke(f"{alive} readers that hang in its driver") if alive >= self._how.most_stuck else None

    def _count(self) -> None:
        """Take over what the source of this connection counted."""
        failed, missed = self._inner.failed, self._inner.missed
        self.failed += failed - self._counted[0]
        self.missed += missed - self._counted[1]
        self._counted = failed, missed

    def _note(self) -> None:
        self._told += [note for note in self._inner.notes if note not in self._told]
        self.notes[:] = [*self._told, *self._journal.story(self.name)]


def _reason(error: Exception) -> str:
    """What was found, in one line without secrets."""
    return error.found if isinstance(error, EdgeCnnError) else scrub(f"{type(error).__name__}: {error}")
