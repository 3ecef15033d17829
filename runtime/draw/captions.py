"""Values as text in frames, files and lines."""

from __future__ import annotations


def value_text(value: float) -> str:
    """A value for people: four digits that count."""
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
