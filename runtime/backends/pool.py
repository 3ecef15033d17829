"""A few things that only one thread at a time may use, lent out in turn."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from edgecnn.errors import BackendError

T = TypeVar("T")
WAIT_SECONDS = 60.0


class Pool(Generic[T]):
    """Lends each of ``items`` to one thread at a time; the last one returned goes out first, its memory is still warm."""

    def __init__(self, items: Iterable[T]) -> None:
        self._free: queue.LifoQueue[T] = queue.LifoQueue()
        for item in items:
            self._free.put(item)
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[T]:
        """One item; waits while all are lent. Raises ``BackendError`` after ``close`` and where none comes back in a minute."""
        if self._closed:
            raise BackendError("an open model", "one that was closed", "open it again")
        try:
            item = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise BackendError(
                "a free request", f"none within {WAIT_SECONDS:.0f} s", "open the model with more requests"
            ) from None
        try:
            yield item
        finally:
            if not self._closed:
                self._free.put(item)

    def close(self) -> None:
        """Drop all items; one that is lent goes when its thread returns it."""
        self._closed = True
        while not self._free.empty():
            self._free.get_nowait()
