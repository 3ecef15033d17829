"""An output file that is opened before the work and appears only when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from edgecnn.errors import InputError


@contextlib.contextmanager
def pending_text(path: Path) -> Iterator[TextIO]:
    """A text file to write to, renamed to ``path`` at the end, gone after an error; what was at ``path`` stays until then.

    Raises ``InputError`` before the work where the place can't be written, and after it where the disk is full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _one_line(path):
        if path.is_dir():
            raise IsADirectoryError(0, "a folder")
        stream = draft.open("w", encoding="utf-8")
    try:
        yield stream
        with _one_line(path):
            stream.close()
            draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            stream.close()
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(f"a file to write to at {path}", found, "choose another place or make room") from error
