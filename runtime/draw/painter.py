"""Draws predictions on frames: boxes with captions, panels of classes or values, trails, lines and zones."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np

from edgecnn.labels import label_of
from edgecnn.runtime.draw.captions import value_text
from edgecnn.runtime.draw.overlays import LINE, ZONE, caption, caption_place, draw_line, draw_trail, draw_zone
from edgecnn.types import Classes, Detections, Float32, Image, Overlay, Prediction, Result, Values

Color = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_MIN_SIZE = 320  # smaller images are enlarged, so that captions are readable
_TOP = 3


@lru_cache(maxsize=1024)
def class_color(class_id: int) -> Color:
    """Return a bright BGR colour for a class; colours of consecutive ids differ clearly."""
    # Hues are one golden angle (0.618 of a turn) apart; every second group of 8 is darker.
    hue = (0.58 + class_id * 0.618034) % 1
    value = 1.0 if class_id // 8 % 2 == 0 else 0.72
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.78, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def text_color(background: Color) -> Color:
    """Return black or white, whichever has the higher contrast on ``background`` (relative luminance of WCAG 2)."""
    blue, green, red = ((part / 255) ** 2.2 for part in background)
    # The power 2.2 approximates the sRGB curve. At a luminance of 0.179 black and white have the same contrast.
    return _BLACK if 0.0722 * blue + 0.7152 * green + 0.2126 * red > 0.179 else _WHITE


def draw(
    image: Image,
    prediction: Prediction,
    labels: Sequence[str],
    trails: Mapping[int, Float32] | None = None,
    overlays: Sequence[Overlay] = (),
    *,
    captions: bool = True,
) -> Image:
    """Draw the prediction, trails and overlays on a copy of ``image`` (H, W, 3) uint8 BGR.

    Boxes without ``captions`` have their colour only; a score of NaN, that of ground truth, is not shown.
    An image whose longer side is below 320 pixels is enlarged by an integer factor.
    """
    factor = max(math.ceil(_MIN_SIZE / max(image.shape[:2])), 1)
    if factor > 1:
        canvas = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    else:
        canvas = image.copy()
    _draw_shapes(canvas, overlays, factor)
    if isinstance(prediction, Classes):
        _draw_classes(canvas, prediction, labels)
    elif isinstance(prediction, Values):
        _draw_values(canvas, prediction, labels)
    else:
        _draw_trails(canvas, trails or {}, factor)
        _draw_boxes(canvas, prediction, labels if captions else None, factor)
    _draw_captions(canvas, overlays, factor)
    return canvas


class Painter:
    """Draws results with the labels of one model and caches the last drawing. Not thread-safe (see ``SharedPainter``)."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._last: tuple[Result, Image] | None = None

    def paint(self, result: Result) -> Image:
        """Return the annotated frame, which callers must not modify."""
        if self._last is None or self._last[0] is not result:
            self._last = result, draw(result.frame.image, result.prediction, self._labels, result.trails, result.overlays)
        return self._last[1]


def _draw_shapes(canvas: Image, overlays: Sequence[Overlay], factor: int) -> None:
    for overlay in sorted(overlays, key=lambda overlay: not overlay.closed):  # lines above zones
        (draw_zone if overlay.closed else draw_line)(canvas, overlay, factor)


def _draw_captions(canvas: Image, overlays: Sequence[Overlay], factor: int) -> None:
    """Draw the captions of lines and zones; each is moved below those that it would overlap."""
    taken: list[tuple[int, int, int, int]] = []
    for overlay in overlays:
        left, top = caption_place(overlay, factor)
        for _ in taken:
            x, y, width, height = _caption_box(canvas, caption(overlay), left, top)
            in_way = [
                box for box in taken if x < box[0] + box[2] and box[0] < x + width and y < box[1] + box[3] and box[1] < y + height
            ]
            top = max((box[1] + box[3] + height for box in in_way), default=top)
        taken.append(_caption_box(canvas, caption(overlay), left, top))
        _draw_caption(canvas, caption(overlay), left, top, ZONE if overlay.closed else LINE)


def _draw_trails(canvas: Image, trails: Mapping[int, Float32], factor: int) -> None:
    """Draw each trail in the colour of its track, so that trails that cross can be distinguished."""
    for track, places in trails.items():
        draw_trail(canvas, places, class_color(track), factor)


def _draw_boxes(canvas: Image, found: Detections, labels: Sequence[str] | None, factor: int) -> None:
    """Draw boxes, and captions where there are ``labels``."""
    line = max(round(min(canvas.shape[:2]) / 240), 1)
    # Lowest score first, so that the best box is drawn last and stays visible.
    order = np.argsort(found.score, kind="stable")
    limit = np.array([canvas.shape[1], canvas.shape[0]] * 2) - 1
    corners = np.clip(np.rint(found.xyxy * factor), 0, limit).astype(int).tolist()
    for index in order:
        left, top, right, bottom = corners[index]
        cv2.rectangle(canvas, (left, top), (right, bottom), _BLACK, line + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, (left, top), (right, bottom), class_color(int(found.class_id[index])), line, cv2.LINE_AA)
    for index in order if labels is not None else ():
        class_id = int(found.class_id[index])
        track = "" if found.track_id is None else f" #{found.track_id[index]}"
        # ground truth has no score: NaN
        score = "" if math.isnan(found.score[index]) else f" {found.score[index]:.2f}"
        caption = f"{label_of(labels or (), class_id)}{track}{score}"
        _draw_caption(canvas, caption, corners[index][0], corners[index][1], class_color(class_id))


def _draw_caption(canvas: Image, text: str, left: int, top: int, color: Color) -> None:
    """Draw a caption above the upper edge of a box, or below that edge at the border of the image."""
    scale, weight = _font(canvas)
    pad = _pad(scale)
    text, _, text_h, _ = _fit(text, scale, weight, canvas.shape[1] - 2 * pad)
    x, y, box_w, box_h = _caption_box(canvas, text, left, top)
    cv2.rectangle(canvas, (x, y), (x + box_w - 1, y + box_h - 1), color, cv2.FILLED)
    cv2.putText(canvas, text, (x + pad, y + pad + text_h), _FONT, scale, text_color(color), weight, cv2.LINE_AA)


def _caption_box(canvas: Image, text: str, left: int, top: int) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a caption in pixels."""
    height, width = canvas.shape[:2]
    scale, weight = _font(canvas)
    pad = _pad(scale)
    _, text_w, text_h, below = _fit(text, scale, weight, width - 2 * pad)
    box_w, box_h = text_w + 2 * pad, text_h + below + 2 * pad
    x = min(max(left, 0), max(width - box_w, 0))
    y = top - box_h if top >= box_h else min(max(top, 0), max(height - box_h, 0))
    return x, min(y, max(height - box_h, 0)), box_w, box_h


def _pad(scale: float) -> int:
    return max(round(scale * 5), 2)


def _draw_classes(canvas: Image, classes: Classes, labels: Sequence[str]) -> None:
    """Draw a dark panel in the upper left corner with the top classes, their scores and bars."""
    height, width = canvas.shape[:2]
    best = np.argsort(-classes.score, kind="stable")[:_TOP]
    scale, weight = _font(canvas)
    pad = round(scale * 14)
    row = round(scale * 58)
    panel_w = min(round(max(width * 0.42, scale * 400)), width)
    panel_h = min(row * len(best) + 2 * pad, height)
    panel = canvas[:panel_h, :panel_w]
    panel[...] = panel // 4
    score_w = cv2.getTextSize("0.00", _FONT, scale, weight)[0][0]
    for place, class_id in enumerate(best):
        score = float(classes.score[class_id])
        base = pad + place * row + round(scale * 24)
        bar = round((panel_w - 2 * pad) * min(max(score, 0.0), 1.0))
        cv2.rectangle(
            canvas, (pad, base + round(scale * 10)), (pad + bar, base + round(scale * 18)), class_color(int(class_id)), cv2.FILLED
        )
        name, *_ = _fit(label_of(labels, int(class_id)), scale, weight, panel_w - 3 * pad - score_w)
        cv2.putText(canvas, name, (pad, base), _FONT, scale, _WHITE, weight, cv2.LINE_AA)
        right = panel_w - pad - score_w
        cv2.putText(canvas, f"{score:.2f}", (right, base), _FONT, scale, _WHITE, weight, cv2.LINE_AA)


def _draw_values(canvas: Image, found: Values, labels: Sequence[str]) -> None:
    """Draw a dark panel in the upper left corner with name and number of each value."""
    height, width = canvas.shape[:2]
    scale, weight = _font(canvas)
    pad, row = round(scale * 14), round(scale * 44)
    panel_w = min(round(max(width * 0.42, scale * 400)), width)
    panel = canvas[: min(row * len(found.value) + pad, height), :panel_w]
    panel[...] = panel // 4
    for place, value in enumerate(found.value):
        base, text = pad + place * row + round(scale * 24), value_text(float(value))
        text_w = cv2.getTextSize(text, _FONT, scale, weight)[0][0]
        name, *_ = _fit(label_of(labels, place), scale, weight, panel_w - 3 * pad - text_w)
        cv2.putText(canvas, name, (pad, base), _FONT, scale, _WHITE, weight, cv2.LINE_AA)
        cv2.putText(canvas, text, (panel_w - pad - text_w, base), _FONT, scale, class_color(place), weight, cv2.LINE_AA)


def _font(canvas: Image) -> tuple[float, int]:
    """Return font scale and line width, proportional to the shorter side of the image."""
    scale = min(max(min(canvas.shape[:2]) / 900, 0.45), 4.0)
    return scale, max(round(scale * 1.4), 1)


def _fit(text: str, scale: float, weight: int, width: int) -> tuple[str, int, int, int]:
    """Shorten the text to ``width`` pixels; return it with its width, its height above and its depth below the baseline."""
    stem, shown = text, text
    (text_w, text_h), below = cv2.getTextSize(shown, _FONT, scale, weight)
    while text_w > width and stem:
        stem = stem[:-1]
        shown = f"{stem}.." if stem else ""
        (text_w, text_h), below = cv2.getTextSize(shown, _FONT, scale, weight)
    return shown, text_w, text_h, below
