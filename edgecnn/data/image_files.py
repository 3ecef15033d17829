"""Image files of datasets: lists them, reads their sizes from the headers, decodes them, by the rules of ``edgecnn.images``."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.images.header import UnreadableImage
from edgecnn.images.kinds import is_image
from edgecnn.images.reader import decode_image, read_header
from edgecnn.types import Image

# the kinds whose header reader sees that a file is cut off; files of other kinds are decoded to see it
_CHECKED_BY_HEADER = ("JPEG", "PNG", "WebP")


class ImageError(InputError):
    """An image file or video frame can't be read; ``reason`` is the short text for lists that already name the file."""

    def __init__(self, path: Path, reason: str, kind: str = "image") -> None:
        super().__init__(f"can't read the {kind} {path}: {reason}", "copy it again or remove it from the dataset")
        self.reason = reason
        self._arguments = (path, reason, kind)

    def __reduce__(self) -> tuple[object, ...]:
        # exceptions are pickled with their message as the only argument, with which the constructor would fail in another process
        return ImageError, self._arguments


def list_images(folder: Path) -> list[Path]:
    """The image files directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if is_image(path))


def by_stem(folder: Path) -> dict[str, Path]:
    """The image files directly in a folder by their name without suffix."""
    return {path.stem: path for path in list_images(folder)}


def read_image(path: Path) -> Image:
    """Decode an image to (H, W, 3) uint8 BGR, rotated by its EXIF orientation.

    Raises ``ImageError`` for a file that is missing, cut off, no image, or larger than ``pixel_limit``.
    """
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise ImageError(path, error.strerror or str(error)) from error
    except UnreadableImage as error:
        raise ImageError(path, str(error)) from None


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the image that ``read_image`` gives, from the header if possible; raises what ``read_image`` raises."""
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except OSError as error:
        raise ImageError(path, error.strerror or str(error)) from error
    except UnreadableImage as error:
        raise ImageError(path, str(error)) from None
    if header.kind not in _CHECKED_BY_HEADER:
        read_image(path)
    return header.size
