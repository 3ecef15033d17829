"""Parses lines and polygons in pixels or as fractions of the image size, and computes anchor points of boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Float32

Anchor = Literal["bottom", "center", "top"]
Points = tuple[tuple[float, float], ...]
NUMBER = re.compile(r"\s*(-?\d+(?:\.\d*)?|-?\.\d+)\s*(%?)\s*")


def anchors(xyxy: Float32, where: Anchor = "bottom") -> Float32:
    """Return the anchor points (n, 2) of boxes (n, 4): the middle of the lower or upper edge, or the centre."""
    x = (xyxy[:, 0] + xyxy[:, 2]) / 2
    # The lower edge is the default, because it is where a standing object touches the ground.
    share = {"bottom": 1.0, "center": 0.5, "top": 0.0}[where]
    y = xyxy[:, 1] + np.float32(share) * (xyxy[:, 3] - xyxy[:, 1])
    return np.stack([x, y], 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Shape:
    """Named points in pixels, or with ``relative`` as fractions of the image's width and height."""

    name: str
    points: Points
    relative: bool

    def in_pixels(self, width: int, height: int) -> Points:
        """Return the points in pixels for an image of this size."""
        return tuple((x * width, y * height) for x, y in self.points) if self.relative else self.points


def parse_shape(text: str, what: str, *, least: int, most: int | None = None, named: bool = True) -> Shape:
    """Parse ``NAME:x1,y1,x2,y2,...`` with ``least`` to ``most`` points.

    The numbers are pixels; they are fractions of the image size if all of them are in 0..1 or end in %.
    Raises ``InputError`` for any other text.
    """
    name, colon, rest = text.rpartition(":")
    form = f"{'NAME:' if named else ''}x1,y1,x2,y2{'' if most == least else ',...'}"
    if named and not name.strip():
        raise InputError(f"the {what} {text!r} has no name", f"write {form}")
    found = [NUMBER.fullmatch(word) for word in (rest if colon else text).split(",")]
    if not all(found) or len(found) % 2 or len(found) < 2 * least or (most is not None and len(found) > 2 * most):
        raise InputError(f"{text!r} is no {what} of {_count(least, most)} points", f"write {form}")
    numbers = [(float(one[1]), one[2] == "%") for one in found if one]
    if any(percent for _, percent in numbers) and not all(percent for _, percent in numbers):
        raise InputError(f"the {what} {text!r} mixes numbers with and without %", "use either for all points")
    values = [value / 100 if percent else value for value, percent in numbers]
    # Numbers that are all in 0..1 can't be meant as pixels: the whole shape would lie within one pixel.
    relative = numbers[0][1] or all(0 <= value <= 1 for value in values)
    return Shape(name.strip(), tuple(zip(values[::2], values[1::2], strict=True)), relative)


def _count(least: int, most: int | None) -> str:
    return f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"


def check_length(shape: Shape, what: str) -> Shape:
    """Return the shape. Raises ``InputError`` if all its points are the same, or if a polygon has no area."""
    spread = max(math.dist(shape.points[0], other) for other in shape.points)
    if spread == 0 or (len(shape.points) > 2 and area(shape.points) == 0):
        raise InputError(
            f"the {' '.join(filter(None, (what, shape.name)))} has its points in one place or on one line", "correct them"
        )
    return shape


def area(points: Sequence[tuple[float, float]]) -> float:
    """Return the area of a polygon by the shoelace formula."""
    corners = np.array(points, np.float64)
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
