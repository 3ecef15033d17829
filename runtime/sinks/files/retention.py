"""A folder of recordings of which the oldest go, so that it never fills the disk."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edgecnn.files import write_error
from edgecnn.runtime.sinks.wall_clock import STAMP, file_stamp
from edgecnn.types import Event

_NAME = re.compile(STAMP + r"_[\w.-]+\.(?:mp4|jpg)")


class Shelf:
    """Keeps at most ``most`` recordings of at most ``most_bytes`` in ``folder``; files of other names are not touched.

    A recording is all files of one name but for the suffix. Makes the folder; raises ``InputError`` where that can't be done.
    """

    def __init__(self, folder: Path, *, most: int, most_bytes: int) -> None:
        self.folder, self._most, self._most_bytes = folder, most, most_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".edgecnn-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise write_error(folder, error) from error

    def place(self, event: Event, camera: str, suffix: str) -> Path:
        """A name with time, camera and kind of the event; sorted by name is sorted by time."""
        return self.folder / f"{file_stamp(event.at)}_{_plain(camera) or 'camera'}_{_plain(event.kind)}{suffix}"

    def tidy(self) -> None:
        """Remove the oldest recordings until the others fit; the newest always stays."""
        paths = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        drop_oldest(paths, most=self._most, most_bytes=self._most_bytes)


def drop_oldest(paths: Iterable[Path], *, most: int, most_bytes: int) -> None:
    """Remove files, whose names sort by age, until at most so many of so many bytes are left; those of one stem go together."""
    recordings: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        recordings[path.name[: -len(path.suffix)]].append(path)
    for place, name in enumerate(sorted(recordings, reverse=True)):
        most_bytes -= sum(_size(path) for path in recordings[name])
        if place and (most_bytes < 0 or place >= most):
            for path in recordings[name]:
                with suppress(OSError):  # somebody else was quicker
                    path.unlink()


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
