"""The other end of a connection: its address, its name for people, and secrets that are told in other ways than on a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from edgecnn.errors import InputError


def parse_endpoint(address: str, schemes: Mapping[str, int], example: str) -> SplitResult:
    """The parts of an address. Raises ``InputError``, which never repeats a password, where it is not one or holds a password."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise InputError(f"an address such as {example}", parts.scheme or "something else", "correct it")
    if parts.password is not None:
        raise InputError(
            f"an address such as {example}",
            "a password in it, which every user of this machine can read",
            "leave it out and put it into the environment or a file",
        )
    return parts


def read_secret(variable: str, file: str | None) -> str | None:
    """The first line of ``file``, else the environment variable, else None. Raises ``InputError`` for a file that can't be read."""
    if file is None:
        return os.environ.get(variable) or None
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        found = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no text"
        raise InputError(f"a secret in the first line of {file}", found, "check the name and who may read it") from error
