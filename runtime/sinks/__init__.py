"""Where results go: annotated video, lines of text, pictures and clips, other machines, a window."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from edgecnn.errors import InputError
from edgecnn.types import Event, Result

__all__ = ["EventSink", "Sink", "UnreachableError", "check_writable"]


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


def check_writable(path: Path) -> None:
    """Raise ``InputError`` where no file can be written at ``path``; nothing there is changed."""
    if path.is_dir():
        raise InputError(f"a file to write at {path}", "a folder", "name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"a folder {path.parent} for {path.name}", "none", "make it, or name another")
    there = path.exists()
    if path.is_fifo():
        return  # opening it would wait for a reader
    try:
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error for a file that the system refuses to write."""
    return InputError(f"to write {path}", (error.strerror or str(error)).lower(), "free some space, or name another place")


def beside(path: Path) -> Path:
    """A temporary name in the same folder with the same suffix, to be renamed when it is whole."""
    import os

    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
