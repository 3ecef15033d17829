"""Stores one value per track in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 4096


class PerTrack(Generic[T]):
    """Stores one value per track for the ``most`` tracks accessed last (LRU); ``make`` creates the first value.

    Track ids are never reused, so the value of a track that was not accessed for long can be dropped.
    """

    def __init__(self, make: Callable[[], T], most: int = MOST) -> None:
        self._make, self._most = make, most
        self._values: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, track: int) -> T:
        if track not in self._values:
            self._values[track] = self._make()
        self._values.move_to_end(track)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return self._values[track]

    def items(self) -> Iterator[tuple[int, T]]:
        """Iterate over tracks and their values; entries may be dropped meanwhile."""
        return iter(list(self._values.items()))

    def drop(self, track: int) -> None:
        """Drop the value of a track."""
        self._values.pop(track, None)
