"""Writes each annotated or restored frame as an image of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.images.writer import encode_image
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Result


def is_folder(target: str) -> bool:
    """Whether an output is a folder of images: one that exists, or a name that ends with a slash."""
    return target.endswith(("/", os.sep)) or Path(target).is_dir()


class ImagesSink:
    """Writes PNG files into a new or empty folder, called like the images of the source, else frame-000012.png.

    Raises ``InputError`` for a folder that holds files already, and where it can't be written.
    """

    def __init__(self, folder: Path | str, painter: ResultPainter, title: Callable[[int], str]) -> None:
        self._folder, self._painter, self._title = Path(folder), painter, title
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                raise InputError(f"--out: the folder {self._folder} is not empty", "name a new one: its images could be replaced")
        except OSError as error:
            raise write_error(self._folder, error) from error

    def write(self, result: Result) -> None:
        """Write the image of one result."""
        name, index = self._title(result.frame.index), result.frame.index
        stem = f"frame-{index:06d}" if name == f"frame {index}" else Path(name).stem
        path = self._folder / f"{stem}.png"
        if path.exists():  # images of the same name in several folders
            path = self._folder / f"{stem}-{index:06d}.png"
        write_file(path, encode_image(self._painter.paint(result), ".png"))

    def close(self) -> None:
        """Do nothing: each image is complete when it is written."""
