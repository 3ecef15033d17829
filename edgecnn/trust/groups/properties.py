"""Measured properties of an instance in an image: its size, brightness, position and colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from edgecnn.trust.colours import COLOURS, colour_map
from edgecnn.types import Float32, Image

PLACES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))


def size(image: Image, box: Float32) -> float:
    """Square root of the area in pixels: the side of a square as large as the instance."""
    left, top, right, bottom = _box(image, box)
    return float(max((right - left) * (bottom - top), 0.0) ** 0.5)


def brightness(image: Image, box: Float32) -> float:
    """Mean grey value of the pixels, 0..255."""
    return float(cv2.cvtColor(crop(image, box), cv2.COLOR_BGR2GRAY).mean())


def position(image: Image, box: Float32) -> str:
    """In which ninth of the image the centre is."""
    left, top, right, bottom = _box(image, box)
    height, width = image.shape[:2]
    row, column = (
        min(max(int(3 * centre / side), 0), 2) for centre, side in (((top + bottom) / 2, height), ((left + right) / 2, width))
    )
    return PLACES[3 * row + column]


def colour(image: Image, box: Float32) -> str:
    """The name of the most frequent colour: black, grey or white where there is little saturation or light, else the hue."""
    counts = np.bincount(colour_map(crop(image, box)).ravel(), minlength=len(COLOURS))
    return COLOURS[int(counts.argmax())]


PROPERTIES: Mapping[str, Callable[[Image, Float32], Any]] = {
    "size": size,
    "brightness": brightness,
    "position": position,
    "colour": colour,
}


def crop(image: Image, box: Float32) -> Image:
    """The pixels of a box, at least one; the whole image for a box of NaN."""
    left, top, right, bottom = (round(edge) for edge in _box(image, box))
    height, width = image.shape[:2]
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def _box(image: Image, box: Float32) -> tuple[float, float, float, float]:
    if np.isnan(box).any():
        return 0.0, 0.0, float(image.shape[1]), float(image.shape[0])
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
