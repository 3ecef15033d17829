"""Several image files by one pattern: 'images/*.jpg' and frame_%04d.png."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.images import ImageFiles, natural_order, open_images
from edgecnn.runtime.sources.redact import printable

_NUMBER = re.compile(r"%(0(\d{1,2}))?d")


def is_pattern(text: str) -> bool:
    """Whether the text is a pattern, and not the name of an existing file."""
    return (glob.has_magic(text) or _NUMBER.search(Path(text).name) is not None) and not Path(text).exists()


def open_pattern(text: str, *, repeat: int = 1, max_pixels: int | None = None) -> ImageFiles:
    """The images that match the pattern. Raises ``SourceError`` where there are none."""
    if _NUMBER.search(Path(text).name):
        return _open_sequence(Path(text), repeat, max_pixels)
    found = [Path(name) for name in glob.glob(text, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    return open_images(
        text, sorted(found, key=_by_folder), f"{printable(text)} matches no image", "check the pattern", repeat, max_pixels
    )


def _by_folder(path: Path) -> list[list[tuple[int, str]]]:
    return [natural_order(Path(part)) for part in path.parts]


def _open_sequence(pattern: Path, repeat: int, max_pixels: int | None) -> ImageFiles:
    """Files in the order of their numbers, starting at any; a note tells how many numbers are missing."""
    numbered = sorted(_numbered(pattern))
    if not numbered:
        raise SourceError(f"no file matches {printable(str(pattern))}", "check the pattern")
    source = ImageFiles(str(pattern), [path for _, path in numbered], repeat=repeat, max_pixels=max_pixels)
    missing = numbered[-1][0] - numbered[0][0] + 1 - len(numbered)
    if missing:
        source.notes.append(f"{pattern.name}: {missing} of the numbers {numbered[0][0]} to {numbered[-1][0]} are missing")
    return source


def _numbered(pattern: Path) -> list[tuple[int, Path]]:
    found = _NUMBER.search(pattern.name)
    assert found is not None, "open_pattern checked it"
    digits = rf"\d{{{int(found[2])},}}" if found[2] else r"\d+"
    name = re.compile(re.escape(pattern.name[: found.start()]) + f"({digits})" + re.escape(pattern.name[found.end() :]))
    try:
        entries = list(pattern.parent.iterdir())
    except OSError as error:
        raise SourceError(f"{pattern.parent}: {(error.strerror or 'an error').lower()}", "check the folder") from error
    matches = ((name.fullmatch(path.name), path) for path in entries)
    return [(int(match[1]), path) for match, path in matches if match]
