"""One annotated picture of a run."""

from __future__ import annotations

from pathlib import Path

import cv2

from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Detections, Result

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class SnapshotSink:
    """At the end, writes the last annotated frame on which something was found, or the last one at all.

    Raises ``InputError`` where it can't be written; what was at ``path`` is then kept.
    """

    def __init__(self, path: Path | str, painter: ResultPainter) -> None:
        self.path, self._painter = Path(path), painter
        if self.path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{self.path.name} is not the name of an image", f"use one of {', '.join(SUFFIXES)}")
        check_writable(self.path)
        self._kept: Result | None = None
        self._found = False

    def write(self, result: Result) -> None:
        """Remember the result if it is the one to show."""
        found = not isinstance(result.prediction, Detections) or len(result.prediction) > 0
        if found or not self._found:
            self._kept, self._found = result, found

    def close(self) -> None:
        """Write the picture."""
        if self._kept is None:
            return
        image, self._kept = self._painter.paint(self._kept), None
        write_file(self.path, cv2.imencode(self.path.suffix.lower(), image)[1].tobytes())
