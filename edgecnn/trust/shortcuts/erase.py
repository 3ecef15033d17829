"""Erasing a part of an image so that what is around it continues, and pasting an object with a soft edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.attribution.evidence import box_mask
from edgecnn.types import Float32, Image

MARGIN = 0.12  # around a box, as a share of its longer side: the outline of an object stays on its own background
COARSE = 64  # pixels of the longer side at which a hole is filled: a hole needs no more detail, and filling is quick


def erased(image: Image, hole: NDArray[np.bool_]) -> Image:
    """``image`` with the pixels of ``hole`` (h, w) filled from around it (Telea 2004); all of it is its mean colour if nothing is left."""
    if hole.all():
        return np.full_like(image, image.reshape(-1, 3).mean(0).round().astype(np.uint8))
    if not hole.any():
        return np.array(image)
    height, width = hole.shape
    factor = min(COARSE / max(height, width), 1.0)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    # the colours around the hole only: a plain scaling would mix in those of the object
    left = (~hole).astype(np.float32)
    weight = cv2.resize(left, size, interpolation=cv2.INTER_AREA)
    colors = cv2.resize(image * left[..., None], size, interpolation=cv2.INTER_AREA)
    small = np.clip(colors / np.maximum(weight, 1e-6)[..., None], 0, 255).astype(np.uint8)
    filled = cv2.inpaint(small, (weight < 0.5).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    smooth = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    result: Image = np.array(image)
    result[hole] = smooth[hole]
    return result


def around(boxes: Float32, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels (h, w) of the boxes (n, 4) with their margin."""
    return box_mask(with_margin(boxes), shape)


def with_margin(boxes: Float32) -> Float32:
    """The boxes enlarged by the margin on each side."""
    grow = MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0.0)
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:] + grow], 1).astype(np.float32)


def soft(kept: NDArray[np.bool_], boxes: Float32) -> Float32:
    """How much of the kept pixels is shown, (h, w, 1) in 0..1: all in the boxes, less and less over their margin."""
    inside = box_mask(boxes, kept.shape)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    reach = max(float(distance[kept].max()) + 1.0, 1.0) if kept.any() else 1.0
    return np.asarray(np.where(kept, 1 - distance / reach, 0.0)[..., None], np.float32)


def blended(front: Image, back: Image, share: Float32) -> Image:
    """``front`` where ``share`` (h, w, 1) is 1, ``back`` where it is 0."""
    mixed = share * front.astype(np.float32) + (1 - share) * back.astype(np.float32)
    return np.asarray(np.rint(mixed), np.uint8)
