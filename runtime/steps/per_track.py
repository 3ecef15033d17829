"""What a step remembers of each track, bounded: identities never return, so that what was not seen for long can go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 4096


class PerTrack(Generic[T]):
    """One value a track, for the ``most`` tracks that were asked for last; ``make`` gives the first value."""

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
        """Tracks with their values; it may be changed meanwhile."""
        return iter(list(self._values.items()))

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._values.pop(track, None)
