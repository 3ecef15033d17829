"""The edit list of an MP4: which part of the recorded frames is shown. Trimming on a phone changes it, not the frames."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from edgecnn.images.header import UnreadableImage, file_size, unpack
from edgecnn.images.isobmff import boxes, find_box

_MOST_EDITS = 10_000
_EMPTY = -1  # the time of an edit that shows nothing


def shown_seconds(path: Path) -> float | None:
    """Seconds of video that the edit list shows (ISO/IEC 14496-12, 8.6.6); None for a file without one, or of another kind."""
    try:
        with path.open("rb") as file:
            return _shown_seconds(file) or None
    except (OSError, UnreadableImage):
        return None


def _shown_seconds(file: BinaryIO) -> float | None:
    start, end = find_box(file, (b"moov",), 0, file_size(file))
    scale = _time_scale(file, *find_box(file, (b"mvhd",), start, end))
    for kind, at, until in boxes(file, start, end):
        if kind == b"trak" and _is_video(file, at, until):
            return _edits(file, *find_box(file, (b"edts", b"elst"), at, until)) / scale
    return None


def _time_scale(file: BinaryIO, start: int, end: int) -> int:
    """Units of a second in which edits are counted."""
    file.seek(start)
    (head,) = unpack(file, ">I")
    # created and modified, of 8 bytes each in version 1, of 4 before
    file.seek(start + 4 + (16 if head >> 24 else 8))
    return int(unpack(file, ">I")[0]) or 1


def _is_video(file: BinaryIO, start: int, end: int) -> bool:
    at, _ = find_box(file, (b"mdia", b"hdlr"), start, end)
    file.seek(at + 8)
    return file.read(4) == b"vide"


def _edits(file: BinaryIO, start: int, end: int) -> int:
    file.seek(start)
    head, count = unpack(file, ">II")
    total = 0
    for _ in range(min(count, _MOST_EDITS)):
        duration, at, _ = unpack(file, ">QqI" if head >> 24 else ">IiI")
        total += duration if at != _EMPTY else 0
    return total
