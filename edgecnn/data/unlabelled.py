"""Images without labels."""

from __future__ import annotations

from pathlib import Path

from edgecnn.data.sample import Dataset


def fits(path: Path) -> bool:
    """Not yet."""
    return False


def splits(path: Path) -> tuple[str, ...]:
    """Not yet."""
    return ()


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Not yet."""
    raise NotImplementedError
