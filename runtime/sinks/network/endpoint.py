"""Parses addresses of network outputs, and reads secrets from the environment or a file, never from the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from edgecnn.errors import InputError


def parse_endpoint(address: str, schemes: Mapping[str, int], example: str) -> SplitResult:
    """Parse an address such as ``example``; ``schemes`` are the default ports by scheme.

    Raises ``InputError`` for an address of another form, with a space or line break, or with a password; the message does not
    contain the password.
    """
    # urlsplit drops line breaks and tabs without a word
    if any(char.isspace() or not char.isprintable() for char in address):
        fix = "write a space as %20 and leave line breaks out"
        raise InputError("the address of the output holds a space, a line break or another character that can't be sent", fix)
    try:
        parts = urlsplit(address)
        # urlsplit checks the port only when it is read; a host name is sent in its ASCII form
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:  # UnicodeError is one
        parts, port = urlsplit(""), None
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise InputError("the address of the output is not valid", f"write it like {example}")
    if parts.password is not None:
        problem = "the address of the output holds a password, which every user of this machine can read"
        raise InputError(problem, "put the password into an environment variable or a file")
    return parts


def encoded(part: str) -> str:
    """A path or query as it is sent: other letters than those of ASCII as their percent-encoded UTF-8 (RFC 3987, 3.1)."""
    return quote(part, safe="/%?:@!$&'()*+,;=~[]|^`{}\"<>\\")


def read_secret(variable: str, file: str | None) -> str | None:
    """Return the first line of ``file``, else the environment variable, else None. Raises ``InputError``."""
    if file is None:
        return os.environ.get(variable) or None
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not text"
        raise InputError(f"can't read a secret from {file}: {reason}", "check the path and its permissions") from error
