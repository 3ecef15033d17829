"""Times and sizes as people write them on a command line: 500ms, 10m, 100MB."""

from __future__ import annotations

import re

import click

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def parse_seconds(value: str | float) -> float:
    """Seconds from "500ms", "10s", "10m", "1h" or "10"; raises ``click.BadParameter``."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(ms|s|m|h)?", str(value).strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"wanted a time such as 100ms, 30s, 10m or 1h, found {value!r}")
    return float(match[1]) * _SECONDS[match[2] or ""]


def parse_bytes(value: str | int) -> int:
    """Bytes from "500k", "100MB", "2GB" or "1000000"; raises ``click.BadParameter``."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([kmg]?)b?", str(value).strip().lower())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"wanted a size such as 100MB or 2GB, found {value!r}")
    return int(float(match[1]) * _BYTES[match[2]])
