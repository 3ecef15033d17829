"""Keeps lines that engines write to standard error away from the terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR_LOCK = threading.Lock()


@contextmanager
def captured_lines() -> Iterator[list[bytes]]:
    """A list that holds, after the ``with``, the lines that native code wrote to file descriptor 2 meanwhile.

    The descriptor belongs to the whole process, hence the lock, and such models are not loaded in background threads.
    """
    lines: list[bytes] = []
    if not hasattr(os, "memfd_create") or sys.__stderr__ is None:
        yield lines
        return
    # A memory file and not a pipe: native code that writes more than a pipe holds would block.
    with _STDERR_LOCK, os.fdopen(os.memfd_create("stderr"), "r+b") as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(before, 2)
            os.close(before)
            kept.seek(0)
            lines.extend(kept)


@contextmanager
def without_lines(start: bytes) -> Iterator[None]:
    """Suppress the lines with that ``start`` which native code writes to file descriptor 2; other lines are written afterwards."""
    lines: list[bytes] = []
    try:
        with captured_lines() as lines:
            yield
    finally:
        for line in lines:
            if not line.startswith(start):
                os.write(2, line)
