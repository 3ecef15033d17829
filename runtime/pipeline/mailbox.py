"""Hand-over between threads: bounded, closable, and no wait without a timeout."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - not an error: the normal end of a stream
    """The mailbox is closed, and for a reader: nothing is left in it."""


class Mailbox(Generic[T]):
    """Items from one thread to others, first in first out, numbered 0, 1, 2, ... as they leave.

    With ``newest_wins`` a full mailbox gives up its oldest item for the new one (a live camera: capacity 1); without it the sender
    waits (a file). ``error`` is what the sender failed with, if it did.
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
        """Add an item; gives how many older ones it displaced. Raises ``Closed``, and ``TimeoutError`` after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                raise TimeoutError(f"nobody took an item within {timeout} s")
            if self._closed:
                raise Closed
            displaced = len(self._items) >= self._capacity
            if displaced:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify_all()
            return int(displaced)

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
        """Take no more items; readers get those that are left, then ``Closed``. Only the first call counts."""
        with self._changed:
            if not self._closed:
                self._closed, self.error = True, error
            self._changed.notify_all()

    def drain(self) -> int:
        """Throw away what is left; gives how many items that were."""
        with self._changed:
            count = len(self._items)
            self._items.clear()
            self._changed.notify_all()
            return count

    def _has_room(self) -> bool:
        return self._closed or self._newest_wins or len(self._items) < self._capacity
