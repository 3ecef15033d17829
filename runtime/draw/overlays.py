"""Draws trails, lines and zones in light colours with a dark outline, visible on bright and dark images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Float32, Image, Overlay

Color = tuple[int, int, int]

OUTLINE: Color = (0, 0, 0)
LINE: Color = (255, 255, 255)
ZONE: Color = (80, 220, 255)
FILL = 0.18  # opacity of a zone


def thickness(canvas: Image) -> int:
    """Return the line width in pixels, proportional to the shorter side of the image."""
    return max(int(min(canvas.shape[:2]) / 240 + 0.5), 1)


def draw_trail(canvas: Image, places: Float32, color: Color, factor: int = 1) -> None:
    """Draw the trail (n, 2) of a track, oldest point first, in three parts of increasing width."""
    line, points = thickness(canvas), _pixels(places * factor)
    around = 1 if line == 1 else 2
    ends = np.linspace(0, len(points) - 1, 4).astype(int).tolist()
    # The whole outline first: part by part, the outline of one part would cover the end of the part before.
    for tint, more in ((OUTLINE, around), (color, 0)):
        for part, (start, end) in enumerate(pairwise(ends)):
            width = max(round(line * (0.6 + 0.4 * part)), 1)
            cv2.polylines(canvas, [points[start : end + 1]], False, tint, width + more, cv2.LINE_AA)


def draw_zone(canvas: Image, overlay: Overlay, factor: int = 1) -> None:
    """Draw a polygon with a translucent fill."""
    points = _pixels(np.array(overlay.points, np.float32) * factor)
    x, y, width, height = _inside(canvas, points)
    if width <= 0 or height <= 0:
        return
    # Blend the bounding rectangle only: the cost then depends on the size of the zone and not on that of the frame.
    part = canvas[y : y + height, x : x + width]
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(inside, [points - np.array([x, y], np.int32)], 1)
    tinted = cv2.addWeighted(part, 1 - FILL, np.full_like(part, ZONE), FILL, 0)
    cv2.copyTo(tinted, inside, part)
    line = thickness(canvas)
    cv2.polylines(canvas, [points], True, OUTLINE, line + 2, cv2.LINE_AA)
    cv2.polylines(canvas, [points], True, ZONE, line, cv2.LINE_AA)


def draw_line(canvas: Image, overlay: Overlay, factor: int = 1) -> None:
    """Draw a line with round ends, and in its middle an arrow in the direction "in"."""
    points = _pixels(np.array(overlay.points, np.float32) * factor)
    line = thickness(canvas)
    start, end = points[0].astype(np.float64), points[-1].astype(np.float64)
    length = float(np.hypot(*(end - start)))
    middle = (start + end) / 2
    # The line turned by 90 degrees (y points down): for a line from left to right it points downwards.
    across = np.array([start[1] - end[1], end[0] - start[0]]) / max(length, 1)
    tip = middle + across * min(8 * line + 6, max(length / 3, 4))
    for color, width in ((OUTLINE, line + 2), (LINE, line)):
        cv2.line(canvas, points[0].tolist(), points[-1].tolist(), color, width, cv2.LINE_AA)
        cv2.arrowedLine(canvas, _pixels(middle).tolist(), _pixels(tip).tolist(), color, width, cv2.LINE_AA, tipLength=0.45)
        for place in (points[0], points[-1]):
            cv2.circle(canvas, place.tolist(), line + (width - line), color, cv2.FILLED, cv2.LINE_AA)


def caption(overlay: Overlay) -> str:
    """Return the caption: the name and the counts of all classes together."""
    shown = ("inside",) if overlay.closed else ("in", "out")
    return f"{overlay.name}: " + ", ".join(f"{_sum(overlay.counts.get(what, {}))} {what}" for what in shown)


def caption_place(overlay: Overlay, factor: int = 1) -> tuple[int, int]:
    """Return the position (x, y) of the caption: the first point of a line, the highest point of a zone."""
    first = min(overlay.points, key=lambda point: point[1]) if overlay.closed else overlay.points[0]
    x, y = _pixels(np.array(first, np.float32) * factor).tolist()
    return x, y


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


def _pixels(points: Float32 | NDArray[np.float64]) -> NDArray[np.int32]:
    """Round to integer pixels and clip: OpenCV's fixed-point arithmetic (16 fractional bits) overflows far outside the image."""
    return np.clip(np.rint(points), -20000, 20000).astype(np.int32)


def _inside(canvas: Image, points: NDArray[np.int32]) -> Sequence[int]:
    """Return the bounding rectangle of the points, clipped to the image: left, top, width, height."""
    x, y, width, height = cv2.boundingRect(points)
    left, top = max(x, 0), max(y, 0)
    return left, top, min(x + width, canvas.shape[1]) - left, min(y + height, canvas.shape[0]) - top
