"""A pool of objects that are not thread-safe, such as interpreters and infer requests."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from edgecnn.backend_errors import closed_error
from edgecnn.errors import BackendError

T = TypeVar("T")
ACQUIRE_TIMEOUT_S = 60.0


class ResourcePool(Generic[T]):
    """Gives each of up to ``count`` objects to one thread at a time.

    ``make`` creates an object only when one is needed and none is free.
    """

    def __init__(self, make: Callable[[], T], count: int) -> None:
        # Last in, first out: the memory of the object used last is still in the processor's cache.
        self._make, self._free = make, queue.LifoQueue[T]()
        self._unmade = threading.BoundedSemaphore(count)
        self._closed = False

    @contextmanager
    def acquire(self) -> Iterator[T]:
        """Get one object and return it at the end of the ``with``; waits while all are in use.

        Raises ``BackendError`` after ``close``, and if no object becomes free within a minute.
        """
        if self._closed:
            raise closed_error()
        item = self._next()
        try:
            yield item
        finally:
            # After `close` the object is dropped, and its memory is freed by the garbage collector.
            if not self._closed:
                self._free.put(item)

    def _next(self) -> T:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            if self._unmade.acquire(blocking=False):
                return self._make()
        try:
            return self._free.get(timeout=ACQUIRE_TIMEOUT_S)
        except queue.Empty:
            raise BackendError(
                f"no infer request became free within {ACQUIRE_TIMEOUT_S:.0f} s", "open the model with more requests"
            ) from None

    def close(self) -> None:
        """Drop all objects; an object in use is dropped when its thread returns it."""
        self._closed = True
        while not self._free.empty():
            self._free.get_nowait()
