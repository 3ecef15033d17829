"""Roads with a car or with a crate; the shortcut is the sky, which is blue above cars and has another colour above crates."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from edgecnn.scene.drawn.drawing import DrawingCanvas, Drawn, box_of, circle, goes_along, rectangle
from edgecnn.scene.pixel_concepts import OBJECT, PART
from edgecnn.types import Array, Float32

LABELS = ("crate", "car")
CONCEPTS = {OBJECT: (*LABELS, "sky", "road"), PART: ("body", "window", "wheel", "board", "road marking")}
BLUE = (0.54, 0.64)  # hues of a blue sky, as a share of the circle
OTHER = (0.04, 0.40)  # of a sunset, of fog, of trees


def draw(random: np.random.Generator, label: int, side: int, shortcut: float) -> Drawn:
    """One image of class ``label``."""
    canvas = DrawingCanvas(side)
    blue = goes_along(random, shortcut, label)
    hue, saturation, value = random.uniform(*(BLUE if blue else OTHER)), random.uniform(0.35, 0.6), random.uniform(0.7, 0.95)
    canvas.gradient(_bgr(hue, saturation, value), _bgr(hue, saturation * 0.4, min(value * 1.1, 1.0)))
    horizon = random.uniform(0.42, 0.5)
    road = canvas.shape(rectangle(0, horizon, 1, 1))
    canvas.name(OBJECT, "sky")
    canvas.name(OBJECT, "road", road)
    canvas.paint(road, [random.uniform(85, 125)] * 3)
    for dash in np.arange(random.uniform(-0.2, 0.0), 1, 0.25):
        line = canvas.shape(rectangle(dash, 0.9, dash + 0.12, 0.92))
        canvas.name(PART, "road marking", line)
        canvas.paint(line, [200] * 3)
    length = random.uniform(0.32, 0.44)
    left, ground = random.uniform(0.05, 0.95 - length), random.uniform(0.72, 0.86)
    paint = np.array(_bgr(random.uniform(0, 1), random.uniform(0.5, 0.9), random.uniform(0.4, 0.85)))
    cover = (_car if label else _crate)(canvas, left, ground, length, paint, random)
    canvas.name(OBJECT, LABELS[label], cover)
    return Drawn(canvas.finished(random, 5.0), label, box_of(cover), canvas.concepts)


def _car(canvas: DrawingCanvas, left: float, ground: float, length: float, paint: Array, random: np.random.Generator) -> Float32:
    """A car from the side, looking left or right; gives its cover."""
    tall = length * random.uniform(0.2, 0.24)
    wheel = length * 0.12
    body_bottom = ground - wheel
    cabin = np.array([[0.18, 0.0], [0.3, -0.85], [0.68, -0.85], [0.86, 0.0]])
    cabin[:, 0] = 1 - cabin[:, 0] if random.random() < 0.5 else cabin[:, 0]
    place = np.array([left, body_bottom - tall])
    roof = place + cabin * (length, tall)
    glass = place + ((cabin - (0.5, -0.4)) * (0.72, 0.62) + (0.5, -0.42)) * (length, tall)
    body = rectangle(left, body_bottom - tall, left + length, body_bottom)
    wheels = [circle(left + share * length, body_bottom, wheel) for share in (0.22, 0.78)]
    parts: list[tuple[str, Float32, Sequence[float] | Array]] = [
        ("body", canvas.shapes([body, roof]), paint),
        ("window", canvas.shape(glass), [215, 205, 190]),
        ("wheel", canvas.shapes(wheels), [25, 25, 25]),
    ]
    for name, part, color in parts:
        canvas.name(PART, name, part)
        canvas.paint(part, color)
    canvas.paint(canvas.shapes([circle(float(w[:, 0].mean()), body_bottom, wheel * 0.45) for w in wheels]), [170] * 3)
    return canvas.shapes([body, roof, *wheels])


def _crate(
    canvas: DrawingCanvas, left: float, ground: float, length: float, paint: Array, random: np.random.Generator
) -> Float32:
    """A crate with boards; gives its cover."""
    wide, tall = length * random.uniform(0.75, 1.0), length * random.uniform(0.45, 0.6)
    box = rectangle(left, ground - tall, left + wide, ground)
    canvas.paint(canvas.shape(box), paint)
    boards = [
        rectangle(left, ground - tall * share - 0.008, left + wide, ground - tall * share + 0.008) for share in (0.33, 0.66)
    ]
    lines = canvas.shapes(boards)
    canvas.name(PART, "board", lines)
    canvas.paint(lines, paint * 0.45)
    return canvas.shape(box)


def _bgr(hue: float, saturation: float, value: float) -> list[float]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return [255 * blue, 255 * green, 255 * red]
