"""What the board is: Python, processor, C library, free disk."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

from edgecnn.remote.agent.places import free_bytes, root_of


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """The facts by which wheels are chosen, and where edgecnn keeps its files there."""
    root = root_of(request)
    library, version = platform.libc_ver()
    return {
        "python": list(sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "system": platform.system(),
        "machine": _machine(),
        "libc": [library or _musl(), version],
        "root": str(root),
        "home": str(Path.home()),
        "user": _user(),
        "uid": os.geteuid(),
        "free_bytes": free_bytes(root),
        "node": platform.node(),
        "systemctl": shutil.which("systemctl") or "",
        "time": os.environ.get("TZ", ""),
    }


def port(_: dict[str, Any]) -> dict[str, Any]:
    """A port of 127.0.0.1 that is free at the moment."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return {"port": found.getsockname()[1]}


def _machine() -> str:
    """The architecture of this Python, which may be 32 bits wide on a 64-bit kernel."""
    found = platform.machine().lower()
    if struct.calcsize("P") == 4:
        return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(found, found)
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(found, found)


def _musl() -> str:
    return "musl" if any(Path("/lib").glob("ld-musl-*")) else ""


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""
