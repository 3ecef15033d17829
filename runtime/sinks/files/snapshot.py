"""Writes one annotated image of a run."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.images.writer import encode_image
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Detections, Result

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class SnapshotSink:
    """Writes the last annotated frame with a detection at the end, or the last frame if there is none.

    Raises ``InputError`` if it can't be written; an existing file is then kept.
    """

    def __init__(self, path: Path | str, painter: ResultPainter) -> None:
        self.path, self._painter = Path(path), painter
        if self.path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{self.path.name} is not the name of an image", f"use one of {', '.join(SUFFIXES)}")
        check_writable(self.path)
        self._kept: Result | None = None
        self._found = False

    def write(self, result: Result) -> None:
        """Store the result if it is the one to write so far."""
        found = not isinstance(result.prediction, Detections) or len(result.prediction) > 0
        if found or not self._found:
            self._kept, self._found = result, found

    def close(self) -> None:
        """Write the image."""
        if self._kept is None:
            return
        # Drawn once at the end; drawing each candidate would cost time for every frame.
        image, self._kept = self._painter.paint(self._kept), None
        write_file(self.path, encode_image(image, self.path.suffix.lower()))
