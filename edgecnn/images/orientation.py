"""The orientation of a photo, as cameras and programs store it: EXIF tag 274, or ``tiff:Orientation`` in XMP.

It is found where Pillow's ``ImageOps.exif_transpose`` finds it, so that an image has the size and position that it had for a program
that was written with Pillow.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

from edgecnn.images.ifd import ORIENTATION, read_directory

if TYPE_CHECKING:
    from edgecnn.types import Image

UPRIGHT = 1
SWAPS_SIDES = frozenset({5, 6, 7, 8})
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_HEADER = re.compile(rb"(?:Exif\0\0){1,2}")


def from_exif(data: bytes) -> float | None:
    """The value of the tag in EXIF data, with or without its header ``Exif\\0\\0``; None where there is none."""
    header = _HEADER.match(data)
    directory = read_directory(BytesIO(data[header.end() :] if header else data))
    if directory is None or ORIENTATION not in directory.entries:
        return None
    # a tag that is no number counts, too: XMP is only asked where the tag is absent
    value = directory.number(ORIENTATION)
    return UPRIGHT if value is None else value


def from_xmp(data: bytes) -> float | None:
    """The value in an XMP packet; None where there is none."""
    found = _XMP.search(data)
    return int(found[1]) if found else None


def valid(value: float | None) -> int:
    """1 to 8; anything else is 1, upright."""
    return int(value) if value is not None and value in range(1, 9) else UPRIGHT


def turn(image: Image, orientation: int) -> Image:
    """Turn and mirror a stored image (H, W, 3) so that it is upright (EXIF 2.32, tag Orientation)."""
    import cv2
    import numpy as np

    if orientation in (5, 7):
        image = np.asarray(cv2.transpose(image), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 7: -1}.get(orientation)
    if flip is not None:
        image = np.asarray(cv2.flip(image, flip), np.uint8)
    rotate = {6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}.get(orientation)
    return image if rotate is None else np.asarray(cv2.rotate(image, rotate), np.uint8)
