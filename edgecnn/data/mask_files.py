"""Mask files: a PNG with the class of each pixel, as grey levels or as the palette of Pascal VOC and of most label tools."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from edgecnn.data.image_files import ImageError
from edgecnn.images import png
from edgecnn.images.header import UnreadableImage
from edgecnn.types import NO_CLASS, Array, Image


def read_mask(path: Path, classes: int) -> Image:
    """The class of each pixel, (H, W) uint8, NO_CLASS where it does not count.

    A mask of 0 and 255 for two ``classes`` is black and white, 255 being class 1. Raises ``ImageError`` for a file that can't be read,
    for one with colours that are no palette, and for a class that is not one of ``classes``.
    """
    try:
        data = path.read_bytes()
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        palette = _palette(data)
    except (OSError, UnreadableImage, cv2.error) as error:
        raise ImageError(path, getattr(error, "strerror", None) or str(error), "mask") from error
    if decoded is None:
        raise ImageError(path, "not a PNG that can be decoded", "mask")
    ids = decoded if decoded.ndim == 2 else _ids(decoded, palette)
    if ids is None or ids.dtype != np.uint8:
        raise ImageError(path, "it has colours instead of class ids; write the number of the class into each pixel", "mask")
    values = set(np.unique(ids).tolist())
    if classes == 2 and values <= {0, 255}:
        return (ids > 0).astype(np.uint8)
    highest = max(values - {NO_CLASS}, default=0)
    if highest >= classes:
        raise ImageError(path, f"it has class {highest}, but there are {classes} class names, 0 to {classes - 1}", "mask")
    return ids.astype(np.uint8, copy=False)


def _palette(data: bytes) -> Array | None:
    """The colours (n, 3) uint8 RGB of a PNG with a palette, None for another one."""
    stream = io.BytesIO(data)
    for kind, length in png.chunks(stream):
        if kind == b"PLTE":
            return np.frombuffer(stream.read(length), np.uint8).reshape(-1, 3)
    return None


def _ids(decoded: Array, palette: Array | None) -> Array | None:
    """The positions in the palette of a decoded image (H, W, 3 or 4) BGR: OpenCV replaces them by colours."""
    if decoded.dtype != np.uint8:
        return None
    if palette is None:
        grey = (decoded[..., 0] == decoded[..., 1]) & (decoded[..., 1] == decoded[..., 2])
        return np.asarray(decoded[..., 0]) if grey.all() else None
    weights = np.array([1, 256, 65536])
    colours = palette[:, ::-1].astype(np.int64) @ weights
    # the first of equal colours: a palette is filled up with black behind the classes
    known, first = np.unique(colours, return_index=True)
    pixels = decoded[..., :3].astype(np.int64) @ weights
    return np.asarray(first[np.searchsorted(known, pixels).clip(max=len(known) - 1)], np.uint8)
