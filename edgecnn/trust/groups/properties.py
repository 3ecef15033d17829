"""Measured properties of a thing in an image: its size, brightness, position and colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from edgecnn.types import Float32, Image

PLACES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))
# upper ends of hues in OpenCV's half degrees, in the order of the colour circle
HUES = ((10, "red"), (22, "orange"), (35, "yellow"), (85, "green"), (130, "blue"), (165, "purple"), (181, "red"))
COLOURS = ("black", "grey", "white", *dict.fromkeys(name for _, name in HUES))
_GREY, _DARK, _LIGHT = 45, 50, 200  # saturation and value of 0..255


def size(image: Image, box: Float32) -> float:
    """Square root of the area in pixels: the side of a square as large as the thing."""
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
    hue, saturation, value = (plane.ravel() for plane in cv2.split(cv2.cvtColor(crop(image, box), cv2.COLOR_BGR2HSV)))
    grey = (saturation < _GREY) | (value < _DARK)
    counts = dict.fromkeys(COLOURS, 0)
    counts["black"] = int((value < _DARK).sum())
    counts["white"] = int((grey & (value >= _LIGHT)).sum())
    counts["grey"] = int(grey.sum()) - counts["black"] - counts["white"]
    ends = np.array([end for end, _ in HUES])
    for index, number in enumerate(np.bincount(np.searchsorted(ends, hue[~grey], side="right"), minlength=len(HUES)).tolist()):
        counts[HUES[min(index, len(HUES) - 1)][1]] += number
    return max(counts, key=lambda name: counts[name])


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
