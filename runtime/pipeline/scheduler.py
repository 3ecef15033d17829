"""How frames reach the workers that cameras share, and how answers come back in order: one lane a camera, one lock for all.

Everything happens under one lock, so that "a frame is there and the reader has room" is one question. Each kind of waiting has its own
condition, so that a hand-over wakes one thread and not all.
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
    """Where all lanes meet: the lock, and the reader who waits for the next answer of any lane."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ready = threading.Condition(self.lock)
        self._lanes: list[FrameQueue[T, R]] = []
        self._turn = 0

    def add(self, lane: FrameQueue[T, R]) -> None:
        """Let a lane take part."""
        with self.lock:
            self._lanes.append(lane)
            lane.crew.lanes.append(lane)

    def remove(self, lane: FrameQueue[T, R]) -> None:
        """Let a lane take no part any more; its items stay where they are."""
        with self.lock:
            if lane in self._lanes:
                self._lanes.remove(lane)
                lane.crew.lanes.remove(lane)

    def next(self, timeout: float) -> tuple[FrameQueue[T, R], R | None]:
        """The next answer of the lanes in turn, or None from one that ended. Raises ``TimeoutError`` after ``timeout`` seconds."""
        with self.ready:
            if not self.ready.wait_for(self._any_ready, timeout):
                raise TimeoutError(f"no answer came within {timeout} s")
            self._turn, lane = _in_turn(self._lanes, self._turn, FrameQueue.is_ready)
            return lane, lane.hand_out()

    def wake(self) -> None:
        """Let the reader look up."""
        with self.lock:
            self.ready.notify_all()

    def _any_ready(self) -> bool:
        return any(lane.is_ready() for lane in self._lanes)


class WorkerPool(Generic[T, R]):
    """The workers' side of the lanes that share one model: each lane with something to do gets its turn."""

    def __init__(self, junction: Scheduler[T, R]) -> None:
        self.lock = junction.lock
        self.work = threading.Condition(self.lock)
        self.lanes: list[FrameQueue[T, R]] = []
        self._turn = 0
        self.closed = False

    def take(self, timeout: float) -> tuple[FrameQueue[T, R], int, T]:
        """A lane, the number of its item, and the item. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self.work:
            if not self.work.wait_for(lambda: self.closed or any(lane.has_work() for lane in self.lanes), timeout):
                raise TimeoutError(f"no item came within {timeout} s")
            if self.closed:
                raise Closed
            self._turn, lane = _in_turn(self.lanes, self._turn, FrameQueue.has_work)
            return lane, *lane.hand_in()

    def close(self) -> None:
        """Send the workers home."""
        with self.lock:
            self.closed = True
            self.work.notify_all()


class FrameQueue(Generic[T, R]):
    """Items of one sender on their way to a crew, and the answers in the order of the items.

    ``capacity`` items wait for a worker; with ``newest_wins`` a full lane gives up its oldest item for the new one (a live camera:
    capacity 1), without it the sender waits (a file). A worker begins only while fewer than ``ahead`` items are between it and the
    reader: so it begins with the newest that there is, instead of holding an old one ready.
    """

    def __init__(
        self, junction: Scheduler[T, R], crew: WorkerPool[T, R], capacity: int, ahead: int, *, newest_wins: bool = False
    ) -> None:
        self.crew = crew
        self._junction, self._capacity, self._ahead, self._newest_wins = junction, capacity, ahead, newest_wins
        self._room = threading.Condition(junction.lock)
        self._items: deque[T] = deque()
        self._answers: dict[int, R] = {}
        self._begun = self._given = 0
        self._ended = self._cut = self._told = False
        self.error: BaseException | None = None

    # the sender

    def put(self, item: T, timeout: float) -> int:
        """Add an item; gives how many older ones it displaced. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self._room:
            if not self._room.wait_for(self._has_room, timeout):
                raise TimeoutError(f"nobody took an item within {timeout} s")
            if self._ended:
                raise Closed
            displaced = len(self._items) >= self._capacity
            if displaced:
                self._items.popleft()
            self._items.append(item)
            if self.has_work():
                self.crew.work.notify()
            return int(displaced)

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is there is still answered. Only the first call counts."""
        with self._room:
            if not self._ended:
                self._ended, self.error = True, error
            self._wake()

    # the workers

    def answer(self, number: int, answer: R, *, last: bool = False) -> None:
        """Add the answer to item ``number``; after the ``last`` one, which says what went wrong, no other item is begun."""
        with self._room:
            if self._cut:
                return
            self._answers[number] = answer
            if last:
                self._ended = True
                self._items.clear()
                self._room.notify_all()
            if number == self._given:
                self._junction.ready.notify()

    # anybody

    def cut(self, error: BaseException | None = None) -> None:
        """End at once and throw away what is there."""
        with self._room:
            self._ended = self._cut = True
            self.error = self.error or error
            self._items.clear()
            self._answers.clear()
            self._wake()

    # asked by Scheduler and WorkerPool, which hold the lock

    def has_work(self) -> bool:
        """Whether a worker may begin an item."""
        return bool(self._items) and self._begun < self._given + self._ahead

    def hand_in(self) -> tuple[int, T]:
        """The next item and its number."""
        item = self._items.popleft()
        number, self._begun = self._begun, self._begun + 1
        self._room.notify()
        return number, item

    def is_ready(self) -> bool:
        """Whether the reader has something to take: an answer, or once the news that nothing more comes."""
        return self._given in self._answers or (self._is_over() and not self._told)

    def hand_out(self) -> R | None:
        """The next answer, or None for the end."""
        if self._given not in self._answers:
            self._told = True
            return None
        answer = self._answers.pop(self._given)
        self._given += 1
        if self.has_work():
            self.crew.work.notify()
        return answer

    def _has_room(self) -> bool:
        return self._ended or self._newest_wins or len(self._items) < self._capacity

    def _is_over(self) -> bool:
        return self._cut or (self._ended and not self._items and self._given == self._begun)

    def _wake(self) -> None:
        self._room.notify_all()
        self._junction.ready.notify()


def _in_turn(
    lanes: Sequence[FrameQueue[T, R]], turn: int, fits: Callable[[FrameQueue[T, R]], bool]
) -> tuple[int, FrameQueue[T, R]]:
    """The first lane from ``turn`` on that fits, and whose turn it is next; one of them does."""
    for step in range(len(lanes)):
        index = (turn + step) % len(lanes)
        if fits(lanes[index]):
            return index + 1, lanes[index]
    raise AssertionError("no lane fits")
