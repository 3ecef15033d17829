"""An image with the places where a unit is active; all else is dark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.explain.dissection.concept_maps import ConceptImage
from edgecnn.types import Image

DARK = 0.35  # of the brightness where the unit is not active
LINE = (60, 230, 255)  # BGR of the outline


def unit_picture(image: ConceptImage, active: NDArray[np.bool_]) -> Image:
    """The image without the padding of a letterbox, dark outside of ``active`` (H, W), a map of the grid of concepts."""
    height, width = image.image.shape[:2]
    smooth = cv2.resize(active.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    mask = (smooth >= 0.5).astype(np.uint8)
    shown = np.where(mask[..., None] > 0, image.image, (image.image * DARK)).astype(np.uint8)
    outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(shown, outlines, -1, LINE, 1)
    left, top, right, bottom = image.part
    return np.ascontiguousarray(shown[top:bottom, left:right])
