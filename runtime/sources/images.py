"""Still images: one file, or all images of a folder."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.sources.opencv_logging import native_stderr_silenced
from edgecnn.types import Frame, Image

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
STILLS_FPS = 2.0  # of a video recorded from them


def read_image(path: Path) -> Image | str:
    """The image (H, W, 3) BGR of a file, rotated upright by its EXIF tag, or the reason why it can't be read."""
    import cv2  # only here: importing it takes as long as opening a model, which runs in the background meanwhile

    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        return error.strerror or str(error)
    if not data.size:
        return "an empty file"
    if _is_cut_jpeg(data):
        return "a JPEG that is cut off"
    try:
        with native_stderr_silenced():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    return "not an image that can be read" if image is None else image.astype(np.uint8, copy=False)


def _is_cut_jpeg(data: Image) -> bool:
    """Whether a JPEG lacks its end marker: libjpeg decodes such a file without an error to an image that is grey from there on."""
    raw, at = data.tobytes(), 2
    if not raw.startswith(b"\xff\xd8\xff"):
        return False
    # A segment is FF, its marker, its length (2 bytes, big-endian, including themselves). All before SOS (DA) are skipped, since a
    # thumbnail in one of them has an end marker (EOI, FF D9) of its own.
    while raw[at : at + 1] == b"\xff" and raw[at + 1 : at + 2] != b"\xda":
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return b"\xff\xd9" not in raw[at:]


class ImageFiles(Source):
    """Image files in order, ``repeat`` times (0: for ever); one that can't be read is counted as a failure.

    Iterating raises ``SourceError`` where none could be read.
    """

    def __init__(self, name: str, paths: list[Path], *, repeat: int = 1) -> None:
        super().__init__(name, fps=STILLS_FPS)
        self._paths, self._repeat = paths, repeat

    def _frames(self) -> Generator[Frame, None, None]:
        rounds = 0
        while not self._repeat or rounds < self._repeat:
            failed = self.failed
            for place, path in enumerate(self._paths, rounds * len(self._paths)):
                started = time.perf_counter()
                image = read_image(path)
                if isinstance(image, str):
                    self.fail(path.name, image)
                else:
                    yield Frame(place, started, image)
            self._check_any(self.failed - failed)
            rounds += 1

    def _check_any(self, failed: int) -> None:
        if failed == len(self._paths):
            first = self.failures[0]
            several = f"none of its {len(self._paths)} images can be read, {first.name}: " if len(self._paths) > 1 else ""
            raise SourceError(f"{self.name}: {several}{first.reason}", "check or replace the file")

    def title(self, index: int) -> str:
        """The file name of frame ``index``."""
        return self._paths[index % len(self._paths)].name


def open_image(path: Path, *, repeat: int = 1) -> ImageFiles:
    """One image file as a source."""
    return ImageFiles(str(path), [path], repeat=repeat)


def open_folder(folder: Path, *, repeat: int = 1) -> ImageFiles:
    """All images of a folder in natural order (2 before 10). Raises ``SourceError`` where it holds none."""
    try:
        entries = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        raise SourceError(f"{folder}: {(error.strerror or 'an error').lower()}", "check its permissions") from error
    paths = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not paths:
        kinds = ", ".join(sorted(SUFFIXES))
        raise SourceError(f"{folder} has no image ({kinds}) among {len(entries)} entries", "name a folder with images")
    return ImageFiles(str(folder), paths, repeat=repeat)


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key of natural order: 2 before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
