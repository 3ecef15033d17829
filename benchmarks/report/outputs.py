"""Where reports go: checked before a long measurement, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from edgecnn.errors import InputError


def check_writable(path: Path) -> None:
    """Raise ``InputError`` unless a file can be written at ``path``; nothing is left behind and nothing there is changed."""
    if path.is_dir():
        raise InputError(f"a file to write at {path}", "a folder", "name a file in it")
    _write(path, "", keep=False)


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there in one step; raises ``InputError`` where that fails, with nothing half written."""
    _write(path, text, keep=True)


def _write(path: Path, text: str, *, keep: bool) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        if keep:
            part.replace(path)
    except OSError as error:
        raise InputError(
            f"a file to write at {path}", error.strerror or str(error), "name one in a folder that can be written"
        ) from error
    finally:
        part.unlink(missing_ok=True)
