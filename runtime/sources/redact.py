"""Removes user names, passwords and tokens from all that is printed, shown or written."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from edgecnn.errors import SourceError

# In a path a value is secret if its name says so; in a query a value is secret unless its name says that it is not: cameras have
# query parameters of any name for keys, and hiding too much costs nothing.
_SECRET = re.compile(r"(?i)pass|pwd|pw|psw|pin|token|key|secret|auth|cred|user|usr|login|account|sig|sid|session|jwt|code")
_HARMLESS = re.compile(
    r"(?i)(channel|ch|camera|cam|subtype|stream|streamtype|streaming|profile|resolution|size|width|height|fps|framerate|rate|quality"
    r"|compression|codec|videocodec|video|audio|format|mode|action|transport|transportmode|proto|unicast|rotation|mirror|color|type)"
)
_IN_PATH = re.compile(r"(?P<name>[^=&;/?#]+)(?P<equals>=)(?P<value>[^&;/?#]*)")
_IN_QUERY = re.compile(r"(?P<name>[^=&]*)(?P<equals>=?)(?P<value>[^&]*)")
_ADDRESS = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>|,)]+")
_LOGIN = re.compile(r"^[^/@:]*:[^@]*@")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MOST_SHOWN = 300
_MOST_READ = 1 << 13  # of an address: the patterns take quadratic time, and no server takes longer ones
_LONG = re.compile(r"(?<=/)[A-Za-z0-9_~-]{20,}(?=[/?#]|$)")


def printable(text: str) -> str:
    """The text on one line of at most 300 characters, with escapes for what can't be printed."""
    line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}..."


def redact_address(address: str) -> str:
    """The address, made ``printable``, with ``***`` in place of: user and password, query values unless their name is known to be
    harmless, path values with a secret name, and path segments that look like a key (20 or more letters and digits)."""
    scheme, found, rest = address.partition("://")
    if found and len(address) > _MOST_READ:
        return f"{printable(scheme)}://..."
    if not found:
        return printable(_LOGIN.sub("***@", address))
    place, slash, path = rest.partition("/")
    if "@" not in place and "@" in path and not place.rpartition(":")[2].isdigit() and ":" in place:
        login, _, path = path.rpartition("@")  # a password that contains a slash
        place, slash, path = f"{place}/{login}@{path.partition('/')[0]}", *path.partition("/")[1:]
    _, at, host = place.rpartition("@")
    before, question, query = f"{host}{slash}{path}".partition("?")
    before = _IN_PATH.sub(_path_value, _LONG.sub(_keyless, before))
    return printable(f"{scheme}://{'***@' if at else ''}{before}{question}{_IN_QUERY.sub(_query_value, query)}")


def expand_variables(text: str) -> tuple[str, str]:
    """(text with each ``${NAME}`` replaced by the environment variable, text as it may be shown). Raises ``SourceError`` where one is
    not set."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            problem = f"the environment variable {match[1]} is not set"
            raise SourceError(problem, "set it, or write the address without ${...}")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text), _VARIABLE.sub("***", text)


def redact_text(text: str, *addresses: str) -> str:
    """A library's error text on one line, with every address in it redacted and the secrets of ``addresses`` removed."""
    text = " ".join(text.split())
    for secret in sorted({part for address in addresses for part in _secrets(address)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _ADDRESS.sub(lambda match: redact_address(match.group()), text)


def _secrets(address: str) -> set[str]:
    """The address itself, and what ``redact_address`` hides, as written and percent-decoded."""
    found = {address}
    place = address.partition("://")[2].rpartition("@")[0]
    for part in (place, *place.split(":", 1)):
        found |= {part, unquote(part)}
    before, _, query = address.partition("?")
    for pattern, part, shown in ((_IN_PATH, before, _path_value), (_IN_QUERY, query, _query_value)):
        for match in pattern.finditer(part):
            if shown(match) != match.group():
                value = match["value"] or match["name"]
                found |= {value, unquote(value)}
    for match in _LONG.finditer(address.partition("://")[2]):
        if _keyless(match) == "***":
            found.add(match.group())
    return {part for part in found if len(part) > 1}


def _path_value(match: re.Match[str]) -> str:
    return f"{match['name']}=***" if _SECRET.search(match["name"]) else match.group()


def _query_value(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    if not match["equals"]:
        return name if _HARMLESS.fullmatch(name) or re.fullmatch(r"\d{0,3}", name) else "***"
    known = (_HARMLESS.fullmatch(name) or re.fullmatch(r"\d{0,3}", value)) and not _SECRET.search(name)
    return match.group() if known else f"{name}=***"


def _keyless(match: re.Match[str]) -> str:
    part = match.group()
    return "***" if re.search(r"\d", part) and re.search(r"[A-Za-z]", part) else part
