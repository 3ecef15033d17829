"""A few things that only one thread at a time may use, lent out in turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from edgecnn.errors import BackendError

T = TypeVar("T")
WAIT_SECONDS = 60.0


class ResourcePool(Generic[T]):
    """Lends ``count`` things to one thread at a time each; the last one returned goes out first, its memory is still warm.

    ``make`` is called for the first ``count`` that are needed at once, so that what nobody asks for costs nothing.
    """

    def __init__(self, make: Callable[[], T], count: int) -> None:
        self._make, self._free = make, queue.LifoQueue[T]()
        self._unmade = threading.BoundedSemaphore(count)
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[T]:
        """One item; waits while all are lent. Raises ``BackendError`` after ``close`` and where none comes back in a minute."""
        if self._closed:
            raise closed()
        item = self._next()
        try:
            yield item
        finally:
            if not self._closed:
                self._free.put(item)

    def _next(self) -> T:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            if self._unmade.acquire(blocking=False):
                return self._make()
        try:
            return self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise BackendError(
                "a free request", f"none within {WAIT_SECONDS:.0f} s", "open the model with more requests"
            ) from None

    def close(self) -> None:
        """Drop all items; one that is lent goes when its thread returns it."""
        self._closed = True
        while not self._free.empty():
            self._free.get_nowait()


def closed() -> BackendError:
    """The error for a model that is used after its end."""
    return BackendError("an open model", "one that was closed", "open it again")
