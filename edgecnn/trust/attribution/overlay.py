"""An attribution map drawn over its image, with the boxes of the objects."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.types import Float32, Image

BOX_COLOR = (80, 255, 80)  # BGR
SHOWN_SIDE = 256  # pixels of the longer side: small images are enlarged to it


def normalized(heat: Float32) -> Float32:
    """The positive part of the map in 0..1; the highest hundredth is 1, so that a single pixel does not darken the rest."""
    positive = np.maximum(heat, 0)
    top = float(np.percentile(positive, 99)) or float(positive.max())
    return np.asarray(np.clip(positive / top, 0, 1) if top > 0 else positive, np.float32)


def overlay(image: Image, heat: Float32, boxes: Float32) -> Image:
    """``image`` (h, w, 3) uint8 BGR in grey, with ``heat`` (h, w) over it in the colours of ``color_bar`` and ``boxes`` (n, 4) xyxy.

    Where there is no evidence the image stays visible. Images under 256 pixels are enlarged.
    """
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    share = normalized(heat)
    colors = cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = 0.85 * np.sqrt(share)[..., None]
    mixed = np.rint(grey * (1 - strength) + colors * strength).astype(np.uint8)
    return with_boxes(mixed, boxes)


def with_boxes(image: Image, boxes: Float32) -> Image:
    """The image, enlarged where it is small, with the boxes drawn."""
    factor = max(SHOWN_SIDE / max(image.shape[:2]), 1.0)
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) if factor > 1 else image.copy()
    for box in boxes:
        x1, y1, x2, y2 = (round(float(value) * factor) for value in box)
        for color, thickness in (((0, 0, 0), 4), (BOX_COLOR, 2)):
            cv2.rectangle(large, (x1, y1), (x2, y2), color, thickness)
    return np.asarray(large, np.uint8)


def color_bar(steps: int = 16) -> str:
    """The colours from no evidence to the most, as a CSS gradient."""
    values = np.rint(np.linspace(0, 255, steps)).astype(np.uint8)[None]
    colors = cv2.applyColorMap(values, cv2.COLORMAP_INFERNO)[0]
    return f"linear-gradient(to right, {', '.join(f'rgb({red}, {green}, {blue})' for blue, green, red in colors.tolist())})"
