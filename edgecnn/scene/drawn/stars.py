"""Stars and moons in a night sky; the shortcut is the position: moons are on the left, stars on the right.

After figure 2 of Geirhos et al. 2020, "Shortcut learning in deep neural networks", arXiv:2004.07780.
"""

from __future__ import annotations

import numpy as np

from edgecnn.scene.drawn.drawing import DrawingCanvas, Drawn, box_of, circle, goes_along, spikes
from edgecnn.scene.pixel_concepts import OBJECT
from edgecnn.types import Float32

LABELS = ("moon", "star")
CONCEPTS = {OBJECT: (*LABELS, "sky")}
EDGE = 0.19  # of the side: the centre of an object is at least so far from the border


def draw(random: np.random.Generator, label: int, side: int, shortcut: float) -> Drawn:
    """One image of class ``label``."""
    canvas = DrawingCanvas(side)
    sky = random.uniform((40, 10, 5), (110, 60, 50))
    canvas.gradient(sky * random.uniform(0.4, 0.9), sky * random.uniform(0.9, 1.4))
    right = goes_along(random, shortcut, label)
    x, y = random.uniform(EDGE, 0.46), random.uniform(EDGE, 1 - EDGE)
    x = 1 - x if right else x
    size = random.uniform(0.13, 0.18)
    turn = random.uniform(0, 2 * np.pi)
    cover = canvas.shape(spikes(x, y, size, 0.45 * size, 5, turn)) if label else _moon(canvas, x, y, size * 0.9, turn)
    canvas.paint(cover, random.uniform((90, 190, 200), (190, 245, 255)))
    canvas.name(OBJECT, "sky")
    canvas.name(OBJECT, LABELS[label], cover)
    return Drawn(canvas.finished(random, 6.0), label, box_of(cover), canvas.concepts)


def _moon(canvas: DrawingCanvas, x: float, y: float, radius: float, turn: float) -> Float32:
    """A crescent: a disc without a second one beside it."""
    disc = canvas.shape(circle(x, y, radius))
    reach = 0.55 * radius
    return disc * (1 - canvas.shape(circle(x + reach * np.cos(turn), y + reach * np.sin(turn), 0.85 * radius)))
