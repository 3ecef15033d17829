"""Draws panels in the upper left corner: the best classes or nearest names with bars, values with their names, tensors."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.labels import label_of
from edgecnn.runtime.draw.captions import FONT, WHITE, Color, class_color, fit, font
from edgecnn.tasks.multilabel import chosen
from edgecnn.tasks.raw import tensor_lines
from edgecnn.tasks.text import value_text
from edgecnn.types import Classes, Embedding, Image, LabelScores, RawTensors, Values

TOP, MOST_LABELS = 3, 6
GREY = (140, 140, 140)


def draw_classes(canvas: Image, classes: Classes, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel in the upper left corner with the top classes, their scores and bars."""
    best = np.argsort(-classes.score, kind="stable")[:TOP].tolist()
    _draw_bars(canvas, [(label_of(labels or (), index), float(classes.score[index]), class_color(index)) for index in best])
    return canvas


def draw_neighbours(canvas: Image, found: Embedding, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel with the nearest names of a gallery and their similarity; grey bars where none is near enough."""
    if not found.neighbours:
        _draw_bars(canvas, [(f"vector of {len(found.vector)}", float("nan"), GREY)])
        return canvas
    is_known = found.name == found.neighbours[0].name
    first = [] if is_known else [(found.name, float("nan"), GREY)]
    near = [(one.name, one.similarity, color_of(one.name) if is_known else GREY) for one in found.neighbours]
    _draw_bars(canvas, [*first, *near][:TOP])
    return canvas


def color_of(name: str) -> Color:
    """The colour of a name: the same on every machine and in every run."""
    return class_color(zlib.crc32(name.encode()) % 1024)


def _draw_bars(canvas: Image, rows: Sequence[tuple[str, float, Color]]) -> None:
    """Draw a panel with a name, a number (none for NaN) and a bar of 0..1 in each row."""
    height, width = canvas.shape[:2]
    scale, weight = font(canvas)
    pad = round(scale * 14)
    row = round(scale * 58)
    panel_w = min(round(max(width * 0.42, scale * 400)), width)
    panel_h = min(row * len(rows) + 2 * pad, height)
    panel = canvas[:panel_h, :panel_w]
    panel[...] = panel // 4
    score_w = cv2.getTextSize("0.00", FONT, scale, weight)[0][0]
    for place, (name, score, color) in enumerate(rows):
        base = pad + place * row + round(scale * 24)
        bar = round((panel_w - 2 * pad) * min(max(np.nan_to_num(score), 0.0), 1.0))
        cv2.rectangle(canvas, (pad, base + round(scale * 10)), (pad + bar, base + round(scale * 18)), color, cv2.FILLED)
        text, *_ = fit(name, scale, weight, panel_w - 3 * pad - score_w)
        cv2.putText(canvas, text, (pad, base), FONT, scale, WHITE, weight, cv2.LINE_AA)
        if not np.isnan(score):
            cv2.putText(canvas, f"{score:.2f}", (panel_w - pad - score_w, base), FONT, scale, WHITE, weight, cv2.LINE_AA)


def draw_labels(canvas: Image, found: LabelScores, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel in the upper left corner with the labels that apply, their scores and bars."""
    rows = [
        (label_of(labels or (), index), float(found.score[index]), class_color(index)) for index in chosen(found)[:MOST_LABELS]
    ]
    _draw_bars(canvas, rows or [("no label", 0.0, GREY)])
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


def draw_tensors(canvas: Image, found: RawTensors, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw a dark panel over the width of the image with a line for each tensor."""
    height, width = canvas.shape[:2]
    scale, weight = font(canvas)
    pad, row = round(scale * 14), round(scale * 44)
    lines = tensor_lines(found)
    panel = canvas[: min(row * len(lines) + pad, height)]
    panel[...] = panel // 4
    for place, line in enumerate(lines):
        shown, *_ = fit(line, scale, weight, width - 2 * pad)
        cv2.putText(canvas, shown, (pad, pad + place * row + round(scale * 24)), FONT, scale, WHITE, weight, cv2.LINE_AA)
    return canvas
