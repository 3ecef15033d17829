"""Distributes the frames of several cameras to worker threads, and hands the results back in frame order for each camera.

One ``FrameQueue`` per camera, one ``WorkerPool`` per model, one ``Scheduler`` for the thread that reads the results. All share one
lock, because a worker may begin a frame only where a frame is there *and* the reader has room for its result: with two locks the
answer to the one question could change while the other is asked. Each kind of waiting has a condition of its own on this lock, so
that a hand-over wakes one thread and not all of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from edgecnn.runtime.pipeline.mailbox import Closed

T = TypeVar("T")
R = TypeVar("R")


class Scheduler(Generic[T, R]):
    """The reader's side: waits for the next result of any queue, queues served round-robin."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ready = threading.Condition(self.lock)
        self._queues: list[FrameQueue[T, R]] = []
        self._turn = 0

    def add(self, queue: FrameQueue[T, R]) -> None:
        """Serve a queue."""
        with self.lock:
            self._queues.append(queue)
            queue.pool.queues.append(queue)

    def remove(self, queue: FrameQueue[T, R]) -> None:
        """Stop serving a queue; its items stay in it."""
        with self.lock:
            if queue in self._queues:
                self._queues.remove(queue)
                queue.pool.queues.remove(queue)

    def next(self, timeout: float) -> tuple[FrameQueue[T, R], R | None]:
        """The next result and its queue, or None for a queue that ended. Raises ``TimeoutError`` after ``timeout`` seconds."""
        with self.ready:
            if not self.ready.wait_for(self._any_ready, timeout):
                raise TimeoutError(f"no result came within {timeout} s")
            self._turn, queue = _round_robin(self._queues, self._turn, FrameQueue.is_ready)
            return queue, queue.take_result()

    def wake(self) -> None:
        """Let the reader check its queues again."""
        with self.lock:
            self.ready.notify_all()

    def _any_ready(self) -> bool:
        return any(queue.is_ready() for queue in self._queues)


class WorkerPool(Generic[T, R]):
    """The workers' side of the queues that share a model, served round-robin."""

    def __init__(self, scheduler: Scheduler[T, R]) -> None:
        self.lock = scheduler.lock
        self.work = threading.Condition(self.lock)
        self.queues: list[FrameQueue[T, R]] = []
        self._turn = 0
        self.closed = False

    def take(self, timeout: float) -> tuple[FrameQueue[T, R], int, T]:
        """A queue, the number of its item, and the item. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self.work:
            if not self.work.wait_for(lambda: self.closed or any(queue.has_work() for queue in self.queues), timeout):
                raise TimeoutError(f"no item came within {timeout} s")
            if self.closed:
                raise Closed
            self._turn, queue = _round_robin(self.queues, self._turn, FrameQueue.has_work)
            return queue, *queue.begin_item()

    def close(self) -> None:
        """End the workers: each one's next ``take`` raises ``Closed``."""
        with self.lock:
            self.closed = True
            self.work.notify_all()


class FrameQueue(Generic[T, R]):
    """The items of one camera on their way to a worker pool, and the results in the order of the items.

    ``capacity`` items wait for a worker; with ``newest_wins`` a full queue drops its oldest item for the new one (a live camera:
    capacity 1), without it the sender waits (a file). A worker begins an item only while fewer than ``max_in_flight`` items are
    between it and the reader. So a worker that waits for a slow reader has not begun yet, and begins with the newest frame instead of
    holding the result of an old one.
    """

    def __init__(
        self,
        scheduler: Scheduler[T, R],
        pool: WorkerPool[T, R],
        capacity: int,
        max_in_flight: int,
        *,
        newest_wins: bool = False,
    ) -> None:
        self.pool = pool
        self._scheduler, self._capacity, self._max_in_flight, self._newest_wins = scheduler, capacity, max_in_flight, newest_wins
        self._room = threading.Condition(scheduler.lock)
        self._items: deque[T] = deque()
        self._results: dict[int, R] = {}  # workers finish in any order; the reader takes them by number
        self._begun = self._taken = 0
        self._ended = self._cancelled = self._end_told = False
        self.error: BaseException | None = None

    # called by the capture thread

    def put(self, item: T, timeout: float) -> int:
        """Add an item; returns how many older ones were dropped. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self._room:
            if not self._room.wait_for(self._has_room, timeout):
                raise TimeoutError(f"no worker took an item within {timeout} s")
            if self._ended:
                raise Closed
            is_full = len(self._items) >= self._capacity
            if is_full:
                self._items.popleft()
            self._items.append(item)
            if self.has_work():
                self.pool.work.notify()
            return int(is_full)

    def end(self, error: BaseException | None = None) -> None:
        """No item follows; those that are there are still processed. Only the first call counts."""
        with self._room:
            if not self._ended:
                self._ended, self.error = True, error
            self._notify_all()

    # called by workers

    def put_result(self, number: int, result: R, *, last: bool = False) -> None:
        """Add the result of item ``number``. After the ``last`` one, which holds an error, no other item is begun."""
        with self._room:
            if self._cancelled:
                return
            self._results[number] = result
            if last:
                self._ended = True
                self._items.clear()
                self._room.notify_all()
            # a result that overtook an earlier item makes nothing ready: the reader is woken by the earlier one
            if number == self._taken:
                self._scheduler.ready.notify()

    # called by any thread

    def cancel(self, error: BaseException | None = None) -> None:
        """End at once and discard items and results."""
        with self._room:
            self._ended = self._cancelled = True
            self.error = self.error or error
            self._items.clear()
            self._results.clear()
            self._notify_all()

    # called by Scheduler and WorkerPool, which hold the lock

    def has_work(self) -> bool:
        """Whether a worker may begin an item."""
        return bool(self._items) and self._begun < self._taken + self._max_in_flight

    def begin_item(self) -> tuple[int, T]:
        """The next item and its number."""
        item = self._items.popleft()
        number, self._begun = self._begun, self._begun + 1
        self._room.notify()
        return number, item

    def is_ready(self) -> bool:
        """Whether the reader has something to take: a result, or once the information that the queue ended."""
        return self._taken in self._results or (self._is_over() and not self._end_told)

    def take_result(self) -> R | None:
        """The next result, or None for the end."""
        if self._taken not in self._results:
            self._end_told = True
            return None
        result = self._results.pop(self._taken)
        self._taken += 1
        # taking a result made room: a worker may begin the next item now
        if self.has_work():
            self.pool.work.notify()
        return result

    def _has_room(self) -> bool:
        return self._ended or self._newest_wins or len(self._items) < self._capacity

    def _is_over(self) -> bool:
        return self._cancelled or (self._ended and not self._items and self._taken == self._begun)

    def _notify_all(self) -> None:
        self._room.notify_all()
        self._scheduler.ready.notify()


def _round_robin(
    queues: Sequence[FrameQueue[T, R]], turn: int, fits: Callable[[FrameQueue[T, R]], bool]
) -> tuple[int, FrameQueue[T, R]]:
    """The first queue from ``turn`` on that fits (one does), and the turn after it."""
    for step in range(len(queues)):
        index = (turn + step) % len(queues)
        if fits(queues[index]):
            return index + 1, queues[index]
    raise AssertionError("no queue fits")
