"""Draws key points with the lines between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.postprocess.key_points import POINT_SCORE
from edgecnn.runtime.draw.captions import BLACK, class_color, draw_caption
from edgecnn.types import Image, Poses

LINE_COLOR = (235, 235, 235)


def draw_poses(canvas: Image, found: Poses, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw the skeleton and the key points of each object, and its score where there are ``labels``.

    A key point has the colour of its number; one with a low score is left out.
    """
    line = max(round(min(canvas.shape[:2]) / 240), 1)
    for index in np.argsort(found.score, kind="stable"):  # the best object last, so that it stays visible
        points = found.points[index]
        places = [_pixel(x * factor, y * factor) if score >= POINT_SCORE else None for x, y, score in points.tolist()]
        for first, second in found.skeleton:
            a, b = places[first], places[second]
            if a is not None and b is not None:
                cv2.line(canvas, a, b, BLACK, line + 2, cv2.LINE_AA)
                cv2.line(canvas, a, b, LINE_COLOR, line, cv2.LINE_AA)
        for key, place in enumerate(places):
            if place is not None:
                cv2.circle(canvas, place, 2 * line + 2, BLACK, cv2.FILLED, cv2.LINE_AA)
                cv2.circle(canvas, place, 2 * line + 1, class_color(key), cv2.FILLED, cv2.LINE_AA)
        if labels is not None and not math.isnan(found.score[index]):
            left, top = np.rint(found.xyxy[index, :2] * factor).astype(int).tolist()
            draw_caption(canvas, f"{found.score[index]:.2f}", left, top - 4 * line, LINE_COLOR)
    return canvas


def _pixel(x: float, y: float) -> tuple[int, int] | None:
    """The pixel of a place; None where it is no number or far outside: OpenCV takes 32 bits."""
    return (round(x), round(y)) if math.isfinite(x) and math.isfinite(y) and abs(x) + abs(y) < 1 << 20 else None
