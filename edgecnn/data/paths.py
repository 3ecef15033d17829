"""Looks at the files and folders of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Written by file managers and archive programs.
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}


def is_file(path: Path) -> bool:
    """Whether a file is there; False for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or a zero byte
        return False


def exists(path: Path) -> bool:
    """Whether a file or folder is there; False for a name that none can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder without hidden ones and those of the system."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES)


def sub_folders(path: Path) -> list[Path]:
    """The folders directly in ``path``, by name, without hidden ones."""
    return sorted(path / entry.name for entry in visible(path) if entry.is_dir())


def folders_below(path: Path) -> list[Path]:
    """``path`` and all folders below, by name, without hidden ones; a link back into the tree is not followed again."""
    found: dict[Path, Path] = {}
    waiting = [path]
    while waiting:
        place = waiting.pop()
        if found.setdefault(place.resolve(), place) is place:
            waiting += sub_folders(place)[::-1]
    return list(found.values())
