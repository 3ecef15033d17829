"""Draws panels in the upper left corner: the best classes with bars, values with their names."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.labels import label_of
from edgecnn.runtime.draw.captions import FONT, WHITE, class_color, fit, font
from edgecnn.tasks.text import value_text
from edgecnn.types import Classes, Image, Values

TOP = 3


def draw_classes(canvas: Image, classes: Classes, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel in the upper left corner with the top classes, their scores and bars."""
    height, width = canvas.shape[:2]
    best = np.argsort(-classes.score, kind="stable")[:TOP]
    scale, weight = font(canvas)
    pad = round(scale * 14)
    row = round(scale * 58)
    panel_w = min(round(max(width * 0.42, scale * 400)), width)
    panel_h = min(row * len(best) + 2 * pad, height)
    panel = canvas[:panel_h, :panel_w]
    panel[...] = panel // 4
    score_w = cv2.getTextSize("0.00", FONT, scale, weight)[0][0]
    for place, class_id in enumerate(best):
        score = float(classes.score[class_id])
        base = pad + place * row + round(scale * 24)
        bar = round((panel_w - 2 * pad) * min(max(score, 0.0), 1.0))
        cv2.rectangle(
            canvas, (pad, base + round(scale * 10)), (pad + bar, base + round(scale * 18)), class_color(int(class_id)), cv2.FILLED
        )
        name, *_ = fit(label_of(labels or (), int(class_id)), scale, weight, panel_w - 3 * pad - score_w)
        cv2.putText(canvas, name, (pad, base), FONT, scale, WHITE, weight, cv2.LINE_AA)
        right = panel_w - pad - score_w
        cv2.putText(canvas, f"{score:.2f}", (right, base), FONT, scale, WHITE, weight, cv2.LINE_AA)
    return canvas


def draw_values(canvas: Image, found: Values, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel in the upper left corner with name and number of each value."""
    height, width = canvas.shape[:2]
    scale, weight = font(canvas)
    pad, row = round(scale * 14), round(scale * 44)
    panel_w = min(round(max(width * 0.42, scale * 400)), width)
    panel = canvas[: min(row * len(found.value) + pad, height), :panel_w]
    panel[...] = panel // 4
    for place, value in enumerate(found.value):
        base, text = pad + place * row + round(scale * 24), value_text(float(value))
        text_w = cv2.getTextSize(text, FONT, scale, weight)[0][0]
        name, *_ = fit(label_of(labels or (), place), scale, weight, panel_w - 3 * pad - text_w)
        cv2.putText(canvas, name, (pad, base), FONT, scale, WHITE, weight, cv2.LINE_AA)
        cv2.putText(canvas, text, (panel_w - pad - text_w, base), FONT, scale, class_color(place), weight, cv2.LINE_AA)
    return canvas
