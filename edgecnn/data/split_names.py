"""The names of the splits train, val and test, as folders and files spell them."""

from __future__ import annotations

import re
from pathlib import Path

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation")
TEST = ("test", "testing")
HELD_OUT = (*TEST, *VAL)
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}


def part_of(name: str) -> str:
    """ "train", "val" or "test" where ``name`` is a name of this split in any case (Valid: "val"), else ""."""
    return next((part for part, names in PARTS.items() if name.lower() in names), "")


def part_in(name: str) -> str:
    """The split that is named by one word of ``name`` (instances_val2017: "val"); "" where none or several are."""
    found = {part for word in re.findall("[a-z]+", name.lower()) if (part := part_of(word))}
    return found.pop() if len(found) == 1 else ""


def is_split(name: str) -> bool:
    """Whether ``name`` is that of a split, a year or number may follow: train, Valid, val2017, test_2."""
    return bool(part_of(name.rstrip("0123456789_- ")))


def split_folders(path: Path) -> dict[str, Path]:
    """The sub-folders of ``path`` with the name of a split, by name: training first, test last."""
    order = list(PARTS)
    found = [place for place in path.iterdir() if part_of(place.name) and place.is_dir()] if path.is_dir() else []
    return {place.name: place for place in sorted(found, key=lambda place: (order.index(part_of(place.name)), place.name))}
