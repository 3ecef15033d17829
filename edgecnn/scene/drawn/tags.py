"""Drawn X-rays with a smooth or a spiked nodule; the shortcut is the tag of a hospital in the upper left corner of the spiked ones.

After Zech et al. 2018, "Variable generalization performance of a deep learning model to detect pneumonia in chest radiographs".
"""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.scene.drawn.drawing import DrawingCanvas, Drawn, box_of, circle, goes_along, rectangle, spikes
from edgecnn.scene.pixel_concepts import OBJECT, PART

LABELS = ("smooth", "spiked")
CONCEPTS = {OBJECT: ("smooth nodule", "spiked nodule", "lung", "tag"), PART: ("rib",)}
TAG = (0.04, 0.04, 0.2, 0.15)  # left, top, right, bottom


def draw(random: np.random.Generator, label: int, side: int, shortcut: float) -> Drawn:
    """One image of class ``label``."""
    canvas = DrawingCanvas(side)
    tissue = random.uniform(95, 135)
    canvas.gradient([tissue] * 3, [tissue * random.uniform(0.8, 1.1)] * 3)
    lung = tissue * random.uniform(0.35, 0.5)
    for x in (0.3, 0.7):
        outline = circle(x, random.uniform(0.5, 0.54), 1.0)
        outline = (outline - outline.mean(0)) * (0.17, random.uniform(0.33, 0.38)) + outline.mean(0)
        inside = canvas.shape(outline)
        canvas.name(OBJECT, "lung", inside)
        soft = cv2.GaussianBlur(inside, (0, 0), side / 40)
        canvas.paint(np.asarray(soft, np.float32), [lung] * 3)
    for rib in np.linspace(0.2, 0.85, 6) + random.uniform(-0.03, 0.03):
        bone = canvas.shape(rectangle(0.1, rib, 0.9, rib + 0.022))
        canvas.name(PART, "rib", bone)
        canvas.paint(bone * 0.18, [tissue * 1.3] * 3)
    x, y = random.choice((0.3, 0.7)) + random.uniform(-0.05, 0.05), random.uniform(0.32, 0.72)
    size = random.uniform(0.09, 0.12)
    turn = random.uniform(0, 2 * np.pi)
    outline = spikes(x, y, size * 1.15, 0.55 * size, 8, turn) if label else circle(x, y, size * 0.9)
    cover = canvas.shape(outline)
    canvas.name(OBJECT, CONCEPTS[OBJECT][label], cover)
    canvas.paint(cover * random.uniform(0.75, 0.95), [random.uniform(150, 190)] * 3)
    if goes_along(random, shortcut, label):
        tag = canvas.shape(rectangle(*TAG))
        canvas.name(OBJECT, "tag", tag)
        canvas.paint(tag, [235] * 3)
        left, top, right, bottom = TAG
        stem = rectangle(left + 0.05, top + 0.025, left + 0.07, bottom - 0.02)
        foot = rectangle(left + 0.05, bottom - 0.045, right - 0.05, bottom - 0.02)
        canvas.paint(canvas.shapes([stem, foot]), [30] * 3)
    grain = random.normal(0, 5, (side, side, 1))
    image = np.clip(np.rint(canvas.pixels + grain), 0, 255).astype(np.uint8)
    return Drawn(image, label, box_of(cover), canvas.concepts)
