"""Deletes the oldest recordings of a folder to limit their number and size."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from edgecnn.files import write_error
from edgecnn.runtime.sinks.wall_clock import STAMP, file_stamp
from edgecnn.types import Event

_NAME = re.compile(STAMP + r"_[\w.-]+\.(?:mp4|jpg)")

# Cameras record into one folder: each must know what the others have made, or each takes the others' newest recordings for old ones
# and all are deleted.
_made_in: dict[Path, dict[str, None]] = defaultdict(dict)  # names in the order in which they were made
_lock = Lock()


class RecordingFolder:
    """Keeps at most ``max_count`` recordings of ``max_bytes`` in total in ``folder``; other files are never deleted.

    A recording is all files with the same name except for the suffix. Creates the folder. Raises ``InputError`` if it can't be
    written. Several of them may share a folder, in one process.
    """

    def __init__(self, folder: Path, *, max_count: int, max_bytes: int) -> None:
        self.folder, self._max_count, self._max_bytes = folder, max_count, max_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A real file is the only reliable test: permissions do not show a read-only or full file system.
            probe = folder / ".edgecnn-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise write_error(folder, error) from error
        self._made = _made_in[folder.resolve()]

    def stem_for(self, event: Event, camera: str) -> str:
        """Return a name without suffix, with time, camera and kind of the event; names sort by time.

        All files of a recording need one name: the time is that of the wall clock, which another call may round differently.
        """
        stem = f"{file_stamp(event.at)}_{_file_name_part(camera) or 'camera'}_{_file_name_part(event.kind)}"
        with _lock:
            self._made.setdefault(stem)
        return stem

    def delete_oldest(self) -> None:
        """Delete the oldest recordings until the limits hold; the newest is always kept."""
        with _lock:
            paths = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
            delete_oldest(paths, max_count=self._max_count, max_bytes=self._max_bytes, made=list(self._made))
            while len(self._made) > self._max_count:
                del self._made[next(iter(self._made))]


def delete_oldest(paths: Iterable[Path], *, max_count: int, max_bytes: int, made: Sequence[str] = ()) -> None:
    """Delete files, whose names sort by age, until at most ``max_count`` stems of ``max_bytes`` in total are left.

    ``made`` are the stems that this process has made, in order: they are newer than all others, whatever their names say, because the
    clock of a device may be set back while it records.
    """
    recordings: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        recordings[path.name[: -len(path.suffix)]].append(path)
    # Newest first: the first recording is kept even if it alone exceeds the size.
    order = {stem: number for number, stem in enumerate(made)}
    for place, name in enumerate(sorted(recordings, key=lambda stem: (order.get(stem, -1), stem), reverse=True)):
        max_bytes -= sum(_size(path) for path in recordings[name])
        if place and (max_bytes < 0 or place >= max_count):
            for path in recordings[name]:
                with suppress(OSError):  # another process deleted it first
                    path.unlink()


def _file_name_part(name: str) -> str:
    # No underscore, which separates the parts of the name; at most 60 characters, as file systems allow 255 bytes.
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
