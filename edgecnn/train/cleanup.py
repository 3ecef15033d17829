"""Removes the output folder of a run that failed before anything was trained, so that the same command can be repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecnn.errors import EdgeCnnError


@contextmanager
def remove_if_failed(folder: Path, worth_keeping: Callable[[Path], bool] = Path.is_file) -> Iterator[None]:
    """If the block raises an ``EdgeCnnError``, remove ``folder`` if it is new and no file in it is ``worth_keeping``."""
    new = not folder.exists()
    try:
        yield
    except EdgeCnnError:
        if new and not any(worth_keeping(path) for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
