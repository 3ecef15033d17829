"""Names of cameras: parsed from NAME=SOURCE, or derived from the source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")
_NAMED = re.compile(rf"({NAME.pattern})=(.+)", re.DOTALL)
_SCHEME = re.compile(r"[a-z][a-z0-9+]*:")


def split_name(text: str) -> tuple[str, str]:
    """Split NAME=SOURCE into (name, source); return ("", text) for a source without a name or an existing file."""
    match = _NAMED.fullmatch(text)
    return ("", text) if match is None or Path(text).exists() else (match[1], match[2])


def name_of(source: str) -> str:
    """Derive a name from a source: the name of the file or host, or camera-NUMBER."""
    from edgecnn.runtime.sources.redact import redact_address

    # The number of a local camera may be followed by options.
    number = source.partition("?")[0]
    if number.isdecimal() and not Path(source).exists():
        return f"camera-{number}"
    if _SCHEME.match(source):
        # Redacted first: the name appears in logs and file names and must not contain a password.
        scheme, _, rest = redact_address(source).partition(":")
        text = rest.removeprefix("//").partition("/")[0].rpartition("@")[2] if rest.startswith("//") else scheme
    else:
        text = "stdin" if source == "-" else Path(source).stem or Path(source).resolve().name
    # The name becomes part of file names and MQTT topics.
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")
    return cleaned[:40] or "camera"


def unique(names: Sequence[str]) -> list[str]:
    """Make names unique by a number from the second one of the same name on."""
    found: list[str] = []
    for name in names:
        count = sum(other == name for other in names[: len(found)])
        candidate = name if not count else f"{name}-{count + 1}"
        # A camera may already have such a name with a number.
        while candidate in found:
            count += 1
            candidate = f"{name}-{count + 1}"
        found.append(candidate)
    return found
