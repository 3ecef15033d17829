"""Captions on images: colours of classes, font by the size of the image, text that is shortened to fit."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import cv2

from edgecnn.types import Image

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, width, height

FONT = cv2.FONT_HERSHEY_SIMPLEX
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


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
    return BLACK if 0.0722 * blue + 0.7152 * green + 0.2126 * red > 0.179 else WHITE


def font(canvas: Image) -> tuple[float, int]:
    """Return font scale and line width, proportional to the shorter side of the image."""
    scale = min(max(min(canvas.shape[:2]) / 900, 0.45), 4.0)
    return scale, max(round(scale * 1.4), 1)


def fit(text: str, scale: float, weight: int, width: int) -> tuple[str, int, int, int]:
    """Shorten the text to ``width`` pixels; return it with its width, its height above and its depth below the baseline."""
    stem, shown = text, text
    (text_w, text_h), below = cv2.getTextSize(shown, FONT, scale, weight)
    while text_w > width and stem:
        stem = stem[:-1]
        shown = f"{stem}.." if stem else ""
        (text_w, text_h), below = cv2.getTextSize(shown, FONT, scale, weight)
    return shown, text_w, text_h, below


def pad_of(scale: float) -> int:
    """Return the padding around a text, in pixels."""
    return max(round(scale * 5), 2)


def caption_box(canvas: Image, text: str, left: int, top: int) -> Box:
    """Return left, top, width and height of a caption in pixels."""
    width, height = caption_size(canvas, text)
    return _inside(canvas, left, top, width, height)


def caption_size(canvas: Image, text: str) -> tuple[int, int]:
    """Return width and height of a caption in pixels."""
    scale, weight = font(canvas)
    pad = pad_of(scale)
    _, text_w, text_h, below = fit(text, scale, weight, canvas.shape[1] - 2 * pad)
    return text_w + 2 * pad, text_h + below + 2 * pad


def _inside(canvas: Image, left: int, top: int, width: int, height: int) -> Box:
    """The place of a caption whose lower left corner is at (left, top), moved into the picture."""
    canvas_h, canvas_w = canvas.shape[:2]
    x = min(max(left, 0), max(canvas_w - width, 0))
    y = top - height if top >= height else min(max(top, 0), max(canvas_h - height, 0))
    return x, min(y, max(canvas_h - height, 0)), width, height


def place_captions(canvas: Image, texts: Sequence[str], corners: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Left and top for ``draw_caption`` of each text at its box: above it, or where that would hide another caption, below,
    inside or beside it.

    ``corners`` are left, top, right and bottom of each box in pixels. The order is from top to bottom, which changes less from frame to
    frame than the order of scores. A caption that would hide another one everywhere stays above its box.
    """
    places, taken = [(left, top) for left, top, *_ in corners], list[Box]()
    for index in sorted(range(len(corners)), key=lambda index: (corners[index][1], corners[index][0])):
        left, top, right, bottom = corners[index]
        width, height = caption_size(canvas, texts[index])
        candidates = [
            *((x, y) for y in (top, bottom + height, top + height, bottom) for x in (left, right - width)),
            *((x, y) for y in (top + height, bottom) for x in (right, left - width)),
        ]
        boxes = (_inside(canvas, *place, width, height) for place in candidates)
        free = next((place for place, box in zip(candidates, boxes, strict=True) if not in_way(box, taken)), None)
        places[index] = free or places[index]
        taken.append(_inside(canvas, *places[index], width, height))
    return places


def in_way(box: Box, taken: Sequence[Box]) -> list[Box]:
    """Those of ``taken`` that a caption at ``box`` would hide."""
    x, y, width, height = box
    return [
        (left, top, w, h) for left, top, w, h in taken if x < left + w and left < x + width and y < top + h and top < y + height
    ]


def draw_caption(canvas: Image, text: str, left: int, top: int, color: Color) -> None:
    """Draw a caption above the upper edge of a box, or below that edge at the border of the image."""
    scale, weight = font(canvas)
    pad = pad_of(scale)
    text, _, text_h, _ = fit(text, scale, weight, canvas.shape[1] - 2 * pad)
    x, y, box_w, box_h = caption_box(canvas, text, left, top)
    cv2.rectangle(canvas, (x, y), (x + box_w - 1, y + box_h - 1), color, cv2.FILLED)
    cv2.putText(canvas, text, (x + pad, y + pad + text_h), FONT, scale, text_color(color), weight, cv2.LINE_AA)
