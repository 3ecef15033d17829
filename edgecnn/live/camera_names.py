"""Names of cameras: given as NAME=SOURCE, or made of the source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")
_NAMED = re.compile(rf"({NAME.pattern})=(.+)", re.DOTALL)
_SCHEME = re.compile(r"[a-z][a-z0-9+]*:")


def split_name(text: str) -> tuple[str, str]:
    """(name, source) of NAME=SOURCE, ("", source) of a source alone; an existing file of the whole text is that file."""
    match = _NAMED.fullmatch(text)
    return ("", text) if match is None or Path(text).exists() else (match[1], match[2])


def name_of(source: str) -> str:
    """A name for a source without one: the file's, the host's, or camera-NUMBER."""
    from edgecnn.runtime.sources.redact import redact_address

    number = source.partition("?")[0]
    if number.isdecimal():
        return f"camera-{number}"
    if _SCHEME.match(source):
        scheme, _, rest = redact_address(source).partition(":")
        text = rest.removeprefix("//").partition("/")[0].rpartition("@")[2] if rest.startswith("//") else scheme
    else:
        text = Path(source).stem or "stdin"
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")
    return cleaned[:40] or "camera"


def unique(names: Sequence[str]) -> list[str]:
    """The names, with a number from the second of the same on."""
    found: list[str] = []
    for name in names:
        count = sum(other == name for other in names[: len(found)])
        candidate = name if not count else f"{name}-{count + 1}"
        while candidate in found:
            count += 1
            candidate = f"{name}-{count + 1}"
        found.append(candidate)
    return found
