"""Draws masks: each class as a transparent colour, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.labels import is_background, label_of
from edgecnn.runtime.draw.captions import FONT, WHITE, class_color, fit, font
from edgecnn.types import NO_CLASS, Image, Mask

OPACITY = 0.5
LEGEND = 8  # classes, those with most pixels


def draw_mask(canvas: Image, found: Mask, labels: Sequence[str] | None, factor: int) -> Image:
    """Colour the pixels of each class but the background, and list the largest classes where there are ``labels``."""
    names = labels or ()
    height, width = canvas.shape[:2]
    mask = found.class_id
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)
    counts = np.bincount(mask.ravel(), minlength=NO_CLASS + 1)
    shown = [int(c) for c in np.argsort(-counts[:NO_CLASS], kind="stable") if counts[c] and not is_background(names, int(c))]
    if not shown:
        return canvas
    colours = np.zeros((NO_CLASS + 1, 1, 3), np.uint8)
    covered = np.zeros(NO_CLASS + 1, np.uint8)
    for class_id in shown:
        colours[class_id, 0], covered[class_id] = class_color(class_id), 1
    painted = cv2.addWeighted(canvas, 1 - OPACITY, cv2.LUT(cv2.merge([mask] * 3), colours), OPACITY, 0)
    cv2.copyTo(painted, cv2.LUT(mask, covered), canvas)
    if labels is not None:
        _legend(canvas, [(label_of(labels, class_id), class_color(class_id)) for class_id in shown[:LEGEND]])
    return canvas


def _legend(canvas: Image, rows: list[tuple[str, tuple[int, int, int]]]) -> None:
    """A dark panel in the upper left corner with a square of each colour and its name."""
    height, width = canvas.shape[:2]
    scale, weight = font(canvas)
    pad, row = round(scale * 14), round(scale * 38)
    side = round(scale * 20)
    texts = [fit(name, scale, weight, max(width // 2 - side - 3 * pad, 1)) for name, _ in rows]
    panel = canvas[: min(row * len(rows) + pad, height), : min(max(text[1] for text in texts) + side + 3 * pad, width)]
    panel[...] = panel // 4
    for place, ((_, color), (name, *_)) in enumerate(zip(rows, texts, strict=True)):
        base = pad + place * row + side
        cv2.rectangle(canvas, (pad, base - side), (pad + side, base), color, cv2.FILLED)
        cv2.putText(canvas, name, (2 * pad + side, base - round(scale * 2)), FONT, scale, WHITE, weight, cv2.LINE_AA)
