"""Still images: one file, or all images of a folder."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.images.animation import is_animated
from edgecnn.images.header import UnreadableImage
from edgecnn.images.kinds import SUFFIXES, count_by_suffix, is_image, kind_of, unsupported
from edgecnn.images.reader import decode_image
from edgecnn.runtime.sources.base import Source
from edgecnn.types import Frame, Image
from edgecnn.videos.opencv_logging import native_stderr_silenced

# kinds that are recognised under any name; JPEG is none of them: a file of one JPEG after the other is a video
_WITHOUT_SUFFIX = frozenset({"PNG", "WebP", "TIFF", "AVIF", "JPEG 2000"})
STILLS_FPS = 2.0  # of a video recorded from them


def read_image(path: Path, max_pixels: int | None = None) -> Image | str:
    """The upright image (H, W, 3) BGR of a file, or the reason why it can't be read; ``max_pixels`` as of ``pixel_limit``."""
    try:
        data = path.read_bytes()
        with native_stderr_silenced():
            return decode_image(data, max_pixels)
    except OSError as error:
        return error.strerror or str(error)
    except UnreadableImage as error:
        return str(error)


class ImageFiles(Source):
    """Image files in order, ``repeat`` times (0: for ever); one that can't be read, or has more than ``max_pixels``, is counted as a
    failure.

    Iterating raises ``SourceError`` where none could be read.
    """

    def __init__(self, name: str, paths: list[Path], *, repeat: int = 1, max_pixels: int | None = None) -> None:
        super().__init__(name, fps=STILLS_FPS)
        self._paths, self._repeat, self._max_pixels = paths, repeat, max_pixels

    def _frames(self) -> Generator[Frame, None, None]:
        rounds = 0
        while not self._repeat or rounds < self._repeat:
            failed = self.failed
            for place, path in list(enumerate(self._paths, rounds * len(self._paths)))[slice(*self.span)]:
                started = time.perf_counter()
                image = read_image(path, self._max_pixels)
                if isinstance(image, str):
                    self.fail(path.name, image)
                else:
                    yield Frame(place, started, image)
            self._check_any(self.failed - failed)
            rounds += 1

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files in order."""
        return tuple(self._paths)

    def _check_any(self, failed: int) -> None:
        if failed == len(self._paths):
            first = self.failures[0]
            several = f"none of its {len(self._paths)} images can be read, {first.name}: " if len(self._paths) > 1 else ""
            raise SourceError(f"{self.name}: {several}{first.reason}", "check or replace the file")

    def title(self, index: int) -> str:
        """The file name of frame ``index``."""
        return self._paths[index % len(self._paths)].name


def holds_image(path: Path) -> bool:
    """Whether a file is one image, by its suffix or content; an animated GIF or PNG is a video.

    Raises ``SourceError`` for an image of a kind that can't be read.
    """
    if unsupported([path]):
        raise SourceError(f"{path} is an image of a kind that can't be read", "convert it to PNG or JPEG")
    try:
        with path.open("rb") as file:
            named = is_image(path) or kind_of(file.read(32)) in _WITHOUT_SUFFIX
            return named and not is_animated(file)
    except OSError as error:
        raise SourceError(f"{path}: {(error.strerror or 'an error').lower()}", "check its permissions") from error


def open_image(path: Path, *, repeat: int = 1, max_pixels: int | None = None) -> ImageFiles:
    """One image file as a source."""
    return ImageFiles(str(path), [path], repeat=repeat, max_pixels=max_pixels)


def open_folder(folder: Path, *, repeat: int = 1, max_pixels: int | None = None) -> ImageFiles:
    """All images of a folder in natural order (2 before 10); a note counts those of kinds that can't be read.

    Raises ``SourceError`` where it holds none.
    """
    try:
        entries = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        raise SourceError(f"{folder}: {(error.strerror or 'an error').lower()}", "check its permissions") from error
    return open_images(str(folder), entries, f"{folder} has no image", "name a folder with images", repeat, max_pixels)


def open_images(name: str, entries: list[Path], none: str, fix: str, repeat: int, max_pixels: int | None) -> ImageFiles:
    """The images among some files, in their order. Raises ``SourceError``, which begins with ``none``, where there are none."""
    left_out = count_by_suffix(unsupported(entries))
    paths = [path for path in entries if is_image(path) and path.is_file()]
    if not paths:
        among = left_out or f"{len(entries)} entries"
        raise SourceError(f"{none} of a kind that can be read ({', '.join(sorted(SUFFIXES))}) among {among}", fix)
    source = ImageFiles(name, paths, repeat=repeat, max_pixels=max_pixels)
    if left_out:
        source.notes.append(f"{name}: left out {left_out}: kinds of images that can't be read")
    return source


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key of natural order: 2 before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
