"""Copies the files that say where a dataset comes from and under which licence."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from edgecnn.data.paths import visible
from edgecnn.files import write_error, write_file

NAMES = re.compile(r"(?i)^(licen[cs]e|copying|copyright|notice|attribution|citation|readme|source|dataset)[^/]*$")
SUFFIXES = ("", ".txt", ".md", ".rst", ".cff", ".source")
LARGEST = 256 * 1024  # bytes; a larger file is none of these


def copy_licences(dataset: Path, folder: Path, below: PurePath) -> list[str]:
    """Copy such files beside the files of ``dataset`` (its folder, or that of a file) into ``folder / below / NAME``.

    Gives their paths in ``folder``. Raises ``InputError`` where one can't be read or written.
    """
    place = dataset.resolve() if dataset.is_dir() else dataset.resolve().parent
    found = sorted(Path(entry.path) for entry in visible(place) if entry.is_file() and _is_one(entry.name))
    made = []
    for file in found:
        if file.stat().st_size > LARGEST:
            continue
        relative = below / place.name / file.name
        try:
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
        except OSError as error:
            raise write_error(folder / relative, error) from error
        write_file(folder / relative, content)
        made.append(relative.as_posix())
    return made


def _is_one(name: str) -> bool:
    return bool(NAMES.match(name)) and Path(name).suffix.lower() in SUFFIXES
