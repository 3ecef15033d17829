"""Where things are on the board: one folder for all that edgecnn puts there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError

SPARE_BYTES = 32 << 20  # left free on the board's disk, for logs and temporary files


def root_of(request: dict[str, Any]) -> Path:
    """The folder of the request, else that of the XDG rules; /opt/edgecnn for root, whose home folder services can't read."""
    if request.get("root"):
        return Path(request["root"]).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME", "")
    if data.startswith("/"):
        return Path(data) / "edgecnn"
    return Path("/opt/edgecnn") if os.geteuid() == 0 else Path.home() / ".local/share/edgecnn"


def inside(root: Path, *parts: str) -> Path:
    """A path below ``root``. Raises ``InputError`` for one that leads out of it."""
    path = root.joinpath(*parts)
    if any(part in ("..", "") or part.startswith("/") for name in parts for part in name.split("/")):
        raise InputError(f"{path} is not below {root}", "name a file without ..")
    return path


def made(folder: Path) -> Path:
    """The folder, created where it is absent. Raises ``InputError`` where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"can't create the folder {folder}: {reason}", "name another one with --remote-dir") from error
    return folder


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write to the file system of ``path`` or of the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def check_space(folder: Path, needed: int) -> None:
    """Raise ``InputError`` where ``needed`` bytes do not fit on the disk of ``folder``."""
    free = free_bytes(folder)
    if free < needed + SPARE_BYTES:
        raise InputError(
            f"the disk is too full: {folder} needs {_mb(needed + SPARE_BYTES)} MB, {_mb(free)} MB are free",
            "free some space there, or name another folder with --remote-dir",
        )


def _mb(count: int) -> int:
    return -(-count // 1_000_000)
