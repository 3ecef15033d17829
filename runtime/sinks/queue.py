"""Runs a sink in its own thread behind a queue, so that a slow, blocked or failing output does not slow down the pipeline.

The counts are consistent at all times: taken = written + dropped + failed + waiting.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from edgecnn.runtime.sinks import EventSink, Sink, UnreachableError
from edgecnn.types import Event, Result
from edgecnn.videos.opencv_logging import stderr_held

SinkState = Literal["working", "failing", "closed", "stuck"]
Item: TypeAlias = Result | Event

CAPACITY = 64
MAX_BYTES = 64 << 20
CLOSE_WITHIN_S, CLOSE_FILES_WITHIN_S = 1.5, 10.0
_GRACE_S = 1.0
_FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 15.0
_REPEAT_MESSAGE_S = 60.0
_NO_DIGITS = str.maketrans("", "", "0123456789")


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """A snapshot of the counts of results, and of events if the sink takes them."""

    taken: int = 0
    written: int = 0
    dropped: int = 0
    failed: int = 0

    @property
    def waiting(self) -> int:
        """Number of items in the queue or being written."""
        return self.taken - self.written - self.dropped - self.failed


class QueuedSink:
    """Runs ``sink`` behind a queue of ``capacity`` items and ``max_bytes`` of images.

    A full queue drops its oldest item and counts it; with ``lossless`` the caller waits instead while the sink works. An error of
    the sink is reported in one line by ``say``. After a pause that doubles up to ``longest_pause_s`` seconds, the next item is
    tried, or the same item after ``UnreachableError``. ``broken``: an item could not be written. ``keep_image=False`` removes the
    pixels from queued items; ``events_only`` ignores results. ``close`` waits ``close_within_s`` seconds for the queue and never
    raises. After a ``BrokenPipeError`` of the sink the output ends, and the next ``write`` raises it. Raises ``ValueError`` for a
    capacity below 1.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        capacity: int = CAPACITY,
        max_bytes: int = MAX_BYTES,
        lossless: bool = False,
        keep_image: bool = True,
        events_only: bool = False,
        close_within_s: float | None = None,
        longest_pause_s: float = LONGEST_PAUSE_S,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.sink, self.name, self.detail = sink, name, ""
        self.state: SinkState = "working"
        self.error: Exception | None = None
        self.broken = False
        self._capacity, self._max_bytes, self._lossless = capacity, max_bytes, lossless
        self._keep_image, self._events_only = keep_image, events_only
        self._close_within = close_within_s or (CLOSE_FILES_WITHIN_S if lossless else CLOSE_WITHIN_S)
        self._longest_pause = longest_pause_s
        self._say = say or _to_stderr
        self._reported: dict[str, float] = {}
        self._items: deque[Item] = deque()
        self._bytes, self._failures = 0, 0
        self._counts = QueueCounts()
        self._turn = threading.Condition()
        self._deadline: float | None = None
        self._pipe_error: BrokenPipeError | None = None
        self._thread = threading.Thread(target=self._work, name=f"edgecnn-sink-{name}", daemon=True)
        self._thread.start()

    # the caller's side

    @property
    def counts(self) -> QueueCounts:
        """A consistent snapshot."""
        return self._counts

    def write(self, result: Result) -> None:
        """Queue a result; waits only with ``lossless``."""
        if self._pipe_error is not None:
            raise self._pipe_error
        if not self._events_only:
            self._put(result if self._keep_image else without_pixels(result))

    def write_event(self, event: Event) -> None:
        """Queue an event; ignored if the sink takes no events."""
        if isinstance(self.sink, EventSink):
            self._put(event)

    def begin_close(self) -> None:
        """Accept no more items and start the time limit, without waiting, so that several sinks can finish in parallel."""
        with self._turn:
            if self._deadline is None:
                self._deadline = time.perf_counter() + self._close_within
            self._turn.notify_all()

    def close(self) -> None:
        """Write the queue within the time limit, and close the sink."""
        self.begin_close()
        assert self._deadline is not None
        # The sink gets a little longer than the queue: an item that is being written may still be finished.
        self._thread.join(max(self._deadline + _GRACE_S - time.perf_counter(), 0.0))
        if self._thread.is_alive() and self.state != "stuck":
            with self._turn:
                self.state, self.detail = "stuck", "did not end in time"
                self._items.clear()
                counts = self._counts
                self._counts = replace(counts, dropped=counts.dropped + counts.waiting)
            self._report("it did not finish in time and is abandoned")

    def _put(self, item: Item) -> None:
        size = _bytes_of(item)
        with self._turn:
            self._count(taken=1)
            while self._full(size) and self._lossless and self.state == "working" and self._deadline is None:
                self._turn.wait(0.2)
            if self._deadline is not None:
                self._count(dropped=1)
                return
            slow = self._full(size) and self.state == "working"
            while self._full(size):
                self._bytes -= _bytes_of(self._items.popleft())
                self._count(dropped=1)
            self._items.append(item)
            self._bytes += size
            self._turn.notify_all()
        if slow:
            self._report("it is slower than the pipeline, so the oldest results are dropped and counted")

    def _full(self, size: int) -> bool:
        return len(self._items) >= self._capacity or (bool(self._items) and self._bytes + size > self._max_bytes)

    def _count(self, *, taken: int = 0, written: int = 0, dropped: int = 0, failed: int = 0) -> None:
        with self._turn:
            if self.state == "stuck":
                return  # everything was counted as dropped when the sink was abandoned
            old = self._counts
            self._counts = QueueCounts(old.taken + taken, old.written + written, old.dropped + dropped, old.failed + failed)

    # the sink's thread

    def _work(self) -> None:
        while (item := self._take()) is not None:
            self._hand_over(item)
            del item  # else its image would stay in memory until the next item
        self._finish()

    def _take(self) -> Item | None:
        with self._turn:
            while not self._items and self._deadline is None:
                self._turn.wait(0.5)
            if self._late():
                self._count(dropped=len(self._items))
                self._items.clear()
            if not self._items:
                return None
            item = self._items.popleft()
            self._bytes -= _bytes_of(item)
            self._turn.notify_all()
            return item

    def _late(self) -> bool:
        return self._deadline is not None and time.perf_counter() > self._deadline

    def _hand_over(self, item: Item) -> None:
        try:
            if isinstance(item, Event):
                assert isinstance(self.sink, EventSink)
                self.sink.write_event(item)
            else:
                self.sink.write(item)
        except UnreachableError as error:
            self._put_back(item)
            self._back_off(error)
        except BrokenPipeError as error:
            self._count(failed=1)
            self._give_up(error)
        except Exception as error:  # no error of an output stops the pipeline
            self.broken = True
            self._count(failed=1)
            self._back_off(error)
        else:
            self._done_one()

    def _done_one(self) -> None:
        self._count(written=1)
        if self._failures and self.state == "failing":
            self._failures, self.state, self.detail = 0, "working", ""
            self._report("it works again")

    def _put_back(self, item: Item) -> None:
        with self._turn:
            if self._full(_bytes_of(item)) or self._late():
                self._count(dropped=1)
                return
            self._items.appendleft(item)
            self._bytes += _bytes_of(item)

    def _back_off(self, error: Exception) -> None:
        """Report the error, then pause before the next attempt."""
        if self.state == "stuck":
            return
        self._failures += 1
        self.error, self.state, self.detail = error, "failing", _line(error)
        self._report(self.detail)
        if self._failures == 1 and not isinstance(error, UnreachableError):
            return  # a single bad result does not delay the next ones
        until = time.perf_counter() + retry_delay_s(self._failures, self._longest_pause)
        with self._turn:
            self._turn.notify_all()  # a writer that waits for room drops instead, now that the state is "failing"
            while (left := until - time.perf_counter()) > 0 and (self._deadline is None or self._deadline > time.perf_counter()):
                if self._deadline is not None:
                    left = min(left, _FIRST_PAUSE_S)
                    until = min(until, time.perf_counter() + left)
                self._turn.wait(left)

    def _give_up(self, error: BrokenPipeError) -> None:
        """End the output because the reader closed the pipe; the next ``write`` raises the error."""
        with self._turn:
            self._pipe_error = error
            self.error, self.state, self.detail = error, "failing", "its reader closed the pipe"
            # A deadline in the past: the thread drops the queue and ends.
            self._deadline = 0.0
            self._turn.notify_all()

    def _finish(self) -> None:
        try:
            self.sink.close()
        except Exception as error:
            self.broken = self.broken or not isinstance(error, UnreachableError)
            self.error, self.state, self.detail = error, "failing", _line(error)
            self._report(self.detail)
        else:
            if self.state != "stuck" and self._pipe_error is None:
                self.state = "closed"

    def _report(self, text: str) -> None:
        """Report one line, at most once a minute if it differs only in digits, such as dates."""
        now, key = time.perf_counter(), text.translate(_NO_DIGITS)
        if now - self._reported.get(key, -_REPEAT_MESSAGE_S) >= _REPEAT_MESSAGE_S:
            self._reported = {old: at for old, at in self._reported.items() if now - at < _REPEAT_MESSAGE_S} | {key: now}
            with suppress(Exception):  # a failing callback does not stop the output
                self._say(f"output {self.name}: {text}")


def retry_delay_s(failures: int, longest_s: float) -> float:
    """Return the exponential back-off in seconds after ``failures`` in a row (from 1), with +-25 % jitter."""
    # The exponent is bounded against overflow after days of failures; jitter keeps outputs from retrying at the same time.
    return min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16), longest_s) * random.uniform(0.75, 1.25)


def without_pixels(result: Result) -> Result:
    """Return the result with a black frame of the same size, a broadcast view of a single byte."""
    black = np.broadcast_to(np.uint8(0), result.frame.image.shape)
    return replace(result, frame=replace(result.frame, image=black))


def _bytes_of(item: Item) -> int:
    if isinstance(item, Event):
        return 0
    image = item.frame.image
    # A broadcast view has strides of 0 and takes no memory, whatever its nbytes says.
    return image.nbytes if image.strides[0] else 0


def _line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())


def _to_stderr(text: str) -> None:
    with suppress(OSError, ValueError), stderr_held():  # stderr may be closed
        sys.stderr.write(f"warning: {text}\n")
        sys.stderr.flush()
