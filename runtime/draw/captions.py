"""Formats numbers for captions on images, files and log lines."""

from __future__ import annotations


def value_text(value: float) -> str:
    """Format a value with four significant digits."""
    # "#" keeps trailing zeros, so that the width of the text does not change from frame to frame.
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
