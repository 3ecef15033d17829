"""Counts the files in the folders of a dataset that its reader does not use, so that none is left out in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from edgecnn.data.image_files import list_images
from edgecnn.data.paths import visible


def other_files(folders: Iterable[Path], own: Collection[str] = ()) -> Counter[str]:
    """How many files directly in ``folders`` are neither images nor hidden, by suffix; ``own`` are suffixes and names of files in use."""
    found: Counter[str] = Counter()
    for folder in folders:
        images = {image.name for image in list_images(folder)}
        for entry in visible(folder):
            suffix = Path(entry.name).suffix.lower()
            if entry.is_file() and entry.name not in images and suffix not in own and entry.name.lower() not in own:
                found[suffix or "without suffix"] += 1
    return found


def as_text(left_out: Mapping[str, int]) -> str:
    """The counts for a message: "3 .txt, 1 .gif"; "" if nothing was left out."""
    return ", ".join(f"{count:,} {what}" for what, count in sorted(left_out.items()) if count)
