"""Where edgecnn keeps what belongs to the user (XDG Base Directory Specification 0.8)."""

from __future__ import annotations

import os
from pathlib import Path

from edgecnn.errors import InputError


def cache_folder() -> Path | None:
    """What can be made again: $XDG_CACHE_HOME/edgecnn or ~/.cache/edgecnn; None without a home."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def needed_cache_folder(other: str) -> Path:
    """``cache_folder``. Raises ``InputError`` without a home; ``other`` is what names another folder."""
    found = cache_folder()
    if found is None:
        raise InputError("there is no home folder to keep files in", f"set HOME, or {other}")
    return found


def data_folder() -> Path | None:
    """What is to stay: $XDG_DATA_HOME/edgecnn or ~/.local/share/edgecnn; None without a home."""
    return _folder("XDG_DATA_HOME", "~/.local/share")


def _folder(variable: str, usual: str) -> Path | None:
    base = Path(os.environ.get(variable) or os.path.expanduser(usual))  # noqa: PTH111 - Path.home() raises without HOME
    return base / "edgecnn" if base.is_absolute() else None
