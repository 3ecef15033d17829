"""Outputs for results and events: video, images, clips, text files, network protocols, a window."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edgecnn.errors import InputError
from edgecnn.types import Event, Result

__all__ = ["EventSink", "Sink", "UnreachableError"]


class UnreachableError(InputError):
    """The receiver can't be reached at the moment; the same item may be sent again later."""


@runtime_checkable
class Sink(Protocol):
    """Writes results in order; ``close`` can be called after an error and more than once."""

    def write(self, result: Result) -> None:
        """Write one result. Raises ``InputError`` if it can't be written."""
        ...

    def close(self) -> None:
        """Finish the output so that it can be read. Raises ``InputError`` if it could not be written completely."""
        ...


@runtime_checkable
class EventSink(Protocol):
    """A sink that also writes events when they happen, even without a result, for example when a camera is lost.

    It gets all events, including those that are part of results.
    """

    def write_event(self, event: Event) -> None:
        """Write one event. Raises ``InputError`` if it can't be written."""
        ...
