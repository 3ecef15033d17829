"""Keeps user names, passwords and tokens out of all that is printed, shown or written."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from edgecnn.errors import SourceError

_NAMES = r"pass|pwd|pw|psw|token|key|secret|auth|cred|user|usr|login|account|sig|sid|session|jwt|code"
_QUERY = re.compile(r"(?i)(^|[?&;/])([^=&;/?#]*(?:" + _NAMES + r")[^=&;/?#]*)=[^&#;]*")
_ADDRESS = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>|,)]+")
_LOGIN = re.compile(r"^[^/@:]*:[^@]*@")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_LONG = re.compile(r"(?<=/)[A-Za-z0-9_~-]{20,}(?=[/?#]|$)")


def printable(address: str) -> str:
    """The address without what must not be shown: user and password, values in the query or path that a name marks as secret, and
    parts of the path that look like a key (20 characters or more, with letters and digits)."""
    scheme, found, rest = address.partition("://")
    if not found:
        return _LOGIN.sub("***@", address)
    place, slash, path = rest.partition("/")
    if "@" not in place and "@" in path and not place.rpartition(":")[2].isdigit() and ":" in place:
        place, slash, path = rest, "", ""  # a password with a slash in it
    _, at, host = place.rpartition("@")
    shown = _QUERY.sub(r"\1\2=***", f"{slash}{path}") if slash else _QUERY.sub(r"\1\2=***", path)
    return f"{scheme}://{'***@' if at else ''}{host}{_LONG.sub(_keyless, shown)}"


def fill_in(text: str) -> tuple[str, str]:
    """The text with each ``${NAME}`` taken from the environment, and as it may be shown; raises ``SourceError`` where it is not set."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SourceError(
                f"the environment variable {match[1]}", "it is not set", "set it, or write the address without ${...}"
            )
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text), _VARIABLE.sub("***", text)


def scrub(text: str, *addresses: str) -> str:
    """``text`` of a foreign error on one line, with every address in it made printable and the secrets of ``addresses`` taken out."""
    text = " ".join(text.split())
    for secret in sorted({part for address in addresses for part in _secrets(address)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _ADDRESS.sub(lambda match: printable(match.group()), text)


def _secrets(address: str) -> set[str]:
    """The address itself, and what ``printable`` leaves out, as written and decoded."""
    found = {address}
    place = address.partition("://")[2].rpartition("@")[0]
    for part in (place, *place.split(":", 1)):
        found |= {part, unquote(part)}
    for match in _QUERY.finditer(address):
        value = match.group().partition("=")[2]
        found |= {value, unquote(value)}
    for match in _LONG.finditer(address.partition("://")[2]):
        if _keyless(match) == "***":
            found.add(match.group())
    return {part for part in found if len(part) > 1}


def _keyless(match: re.Match[str]) -> str:
    part = match.group()
    return "***" if re.search(r"\d", part) and re.search(r"[A-Za-z]", part) else part
