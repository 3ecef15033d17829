"""A bounded queue between threads that can be closed; every wait has a timeout."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - not an error: the normal end of a stream
    """The queue is closed; for a reader, also empty."""


class Mailbox(Generic[T]):
    """A first-in, first-out queue; items are numbered 0, 1, 2, ... as they are taken.

    With ``newest_wins`` a full mailbox drops its oldest item for the new one (a live camera: capacity 1); without it the sender waits
    (a file). ``error`` is what the sender failed with, if it did. Raises ``ValueError`` for a capacity below 1.
    """

    def __init__(self, capacity: int = 1, *, newest_wins: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._capacity, self._newest_wins = capacity, newest_wins
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._left = 0
        self.error: BaseException | None = None

    def put(self, item: T, timeout: float) -> int:
        """Add an item; returns how many older ones were dropped. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                raise TimeoutError(f"no reader took an item within {timeout} s")
            if self._closed:
                raise Closed
            dropped = len(self._items) >= self._capacity
            if dropped:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify_all()
            return int(dropped)

    def get(self, timeout: float) -> tuple[int, T]:
        """The next item and its number. Raises ``Closed`` once nothing can come, and ``TimeoutError`` after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout):
                raise TimeoutError(f"no item came within {timeout} s")
            if not self._items:
                raise Closed
            item = self._items.popleft()
            number, self._left = self._left, self._left + 1
            self._changed.notify_all()
            return number, item

    def close(self, error: BaseException | None = None) -> None:
        """Accept no more items; readers get the remaining ones, then ``Closed``. Only the first call counts."""
        with self._changed:
            if not self._closed:
                self._closed, self.error = True, error
            self._changed.notify_all()

    def drain(self) -> int:
        """Discard the remaining items; returns how many."""
        with self._changed:
            count = len(self._items)
            self._items.clear()
            self._changed.notify_all()
            return count

    def _has_room(self) -> bool:
        return self._closed or self._newest_wins or len(self._items) < self._capacity
