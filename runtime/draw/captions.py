"""How classes and values are called in pictures, files and lines of text."""

from __future__ import annotations

from collections.abc import Sequence


def label_of(labels: Sequence[str], class_id: int) -> str:
    """The name of a class; its number where there is none."""
    return labels[class_id] if 0 <= class_id < len(labels) else f"class {class_id}"


def value_text(value: float) -> str:
    """A value for people: four digits that count."""
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
