"""Where results go: annotated video, lines of text, pictures and clips, other machines, a window."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edgecnn.errors import InputError
from edgecnn.types import Event, Result

__all__ = ["EventSink", "Sink", "UnreachableError"]


class UnreachableError(InputError):
    """The other end is away for now; the same may be handed over again later."""


@runtime_checkable
class Sink(Protocol):
    """Takes results in order. ``close`` finishes what was begun, also after an error, and may be called again."""

    def write(self, result: Result) -> None:
        """Take one result; raises ``InputError`` where it can't be written."""
        ...

    def close(self) -> None:
        """Finish the output so that it can be read; raises ``InputError`` where it could not be written whole."""
        ...


@runtime_checkable
class EventSink(Protocol):
    """A sink that takes events as they happen, also while no result comes, such as that a camera was lost.

    It is told all events, those that results carry as well.
    """

    def write_event(self, event: Event) -> None:
        """Take one event; raises ``InputError`` where it can't be handed on."""
        ...
