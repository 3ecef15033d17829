"""Draws a window of a signal: the wave of each channel, and the best classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.runtime.draw.captions import WHITE, class_color
from edgecnn.runtime.draw.panels import draw_classes
from edgecnn.types import Image, WindowClasses

WIDTH, HEIGHT = 960, 320  # at most, at least


def draw_waveform(canvas: Image, found: WindowClasses, labels: Sequence[str] | None, factor: int) -> Image:
    """A picture of the window instead of its grey rows: each channel as a wave in the colour of the best class."""
    rows = canvas[::factor, ::factor, 0].astype(np.float32)
    height, width = max(canvas.shape[0], HEIGHT), min(canvas.shape[1], WIDTH)
    picture: Image = np.full((height, width, 3), 24, np.uint8)
    band = height / len(rows)
    x = np.linspace(0, width - 1, rows.shape[1])
    for index, row in enumerate(rows):
        middle = (index + 0.5) * band
        cv2.line(picture, (0, round(middle)), (width - 1, round(middle)), (70, 70, 70), 1)
        y = middle - (row - 128) / 128 * band / 2
        points = np.rint(np.stack([x, y], 1)).astype(np.int32)
        cv2.polylines(picture, [points], False, class_color(found.top1) if len(found.score) else WHITE, 1, cv2.LINE_AA)
    return draw_classes(picture, found, labels, 1)
