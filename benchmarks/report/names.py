"""How names and milliseconds are written in tables."""

from __future__ import annotations

NAME_WIDTH = 30


def ellipsize(name: str, width: int = NAME_WIDTH) -> str:
    """A name no longer than ``width``; it is cut in the middle because file names differ at their ends."""
    if len(name) <= width:
        return name
    keep = (width - 1) // 2
    return f"{name[: width - 1 - keep]}…{name[-keep:]}"


def format_ms(value: float) -> str:
    """Milliseconds with three significant digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
