"""Encodes images as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgecnn.errors import InputError

if TYPE_CHECKING:
    from edgecnn.types import Image

_LARGEST = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # pixels on a side, by libjpeg and libwebp


def encode_image(image: Image, suffix: str, options: Sequence[int] = ()) -> bytes:
    """The bytes of an image file; ``options`` are those of ``cv2.imencode``.

    Raises ``InputError`` for an image that is too large for the kind.
    """
    import cv2

    height, width = image.shape[:2]
    if max(width, height) > _LARGEST.get(suffix, width + height):
        raise InputError(f"an image of {width:,} x {height:,} pixels can't be written as {suffix}", "use .png, or smaller images")
    return cv2.imencode(suffix, image, list(options))[1].tobytes()
