"""Finished parts in a folder, so that a run that was ended goes on from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edgecnn.files import write_error, write_file
from edgecnn.json_text import dump_json
from edgecnn.user_folders import needed_cache_folder

FIX: Final = "name another folder with --ray-parts"
_SAMPLE: Final = 1 << 20


class KeptParts:
    """Parts below ``folder`` (None: in the user's cache), by names that say all they depend on.

    ``fix`` says in errors how to name another folder. Raises ``InputError`` where the folder can't be written.
    """

    def __init__(self, folder: Path | None, fix: str = FIX) -> None:
        self._fix = fix
        self.folder = folder or needed_cache_folder(fix) / "cluster"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error, fix) from error

    def find(self, name: str) -> bytes | None:
        """The part of this name, if it is there."""
        try:
            return self._path(name).read_bytes()
        except OSError:
            return None

    def has(self, name: str) -> bool:
        """Whether the part of this name is there."""
        return self._path(name).is_file()

    def put(self, name: str, content: bytes) -> None:
        """Keep a part. Raises ``InputError``."""
        write_file(self._path(name), content, fix=self._fix)

    def remove(self, names: Iterable[str]) -> None:
        """Remove parts, and the folder where it is empty then."""
        for name in names:
            self._path(name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.part"


def part_name(work: Any) -> str:
    """A name for the part that depends on ``work``, JSON values."""
    return hashlib.sha256(dump_json(work, default=str).encode()).hexdigest()[:32]


def source_digest(files: Sequence[Path]) -> str:
    """What tells files from others: their names, sizes and times, and of a single one its first and last MiB."""
    stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    parts = [repr(stats).encode()]
    if len(files) == 1:
        with files[0].open("rb") as file:
            parts.append(file.read(_SAMPLE))
            file.seek(max(stats[0][1] - _SAMPLE, 0))
            parts.append(file.read(_SAMPLE))
    return _hashed(parts)


def tree_digest(folder: Path) -> str:
    """What tells a folder from another state of it: names, sizes and times of all files below it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]
    return _hashed([repr(stats).encode()])


def model_digest(path: Path) -> str:
    """SHA-256 of a model file, and of the weights of OpenVINO beside it."""
    files = [one for one in (path, path.with_suffix(".bin")) if one.is_file()]
    return _hashed(one.read_bytes() for one in dict.fromkeys(files))


def _hashed(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
