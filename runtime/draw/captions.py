"""Values as text, for images, files and log lines."""

from __future__ import annotations


def value_text(value: float) -> str:
    """A value with four significant digits."""
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
