"""An error before anything was trained leaves no folder behind, so that the corrected command can be given at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecnn.errors import EdgeCnnError


@contextmanager
def leaving_nothing(folder: Path, worth: Callable[[Path], bool] = Path.is_file) -> Iterator[None]:
    """Where an ``EdgeCnnError`` ends what is inside, remove ``folder`` if it is new and nothing in it is of ``worth``."""
    new = not folder.exists()
    try:
        yield
    except EdgeCnnError:
        if new and not any(worth(path) for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
