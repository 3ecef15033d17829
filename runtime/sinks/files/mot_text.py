"""Writes tracks as MOT Challenge text (arXiv:1603.00831, table 3): frame, id, left, top, width, height, score, -1, -1, -1.

Frames, ids and pixels count from 1. A box without a track has the id -1, as in files of detections.
"""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.runtime.sinks.files.text_lines import LinesFile
from edgecnn.types import Detections, Result


class MotSink:
    """Writes a line for each box immediately. Raises ``InputError`` if it can't be written, or if the model returns no boxes."""

    def __init__(self, path: Path | str, *, append: bool = False) -> None:
        self._file = LinesFile(path, append=append)

    def write(self, result: Result) -> None:
        """Write the lines of one result."""
        found = result.prediction
        if not isinstance(found, Detections):
            raise InputError(
                f"MOT text holds boxes, but the model gives {type(found).__name__.lower()}", "use a detector, or another output"
            )
        ids = [-1] * len(found) if found.track_id is None else found.track_id.tolist()
        rows = zip(ids, found.xyxy.tolist(), found.score.tolist(), strict=True)
        self._file.append("".join(_row(result.frame.index + 1, *row) for row in rows))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(frame: int, track: int, xyxy: list[float], score: float) -> str:
    left, top, right, bottom = xyxy
    # The last three numbers are coordinates in 3D, unused here.
    return f"{frame},{track},{left + 1:.2f},{top + 1:.2f},{right - left:.2f},{bottom - top:.2f},{score:.4f},-1,-1,-1\n"
