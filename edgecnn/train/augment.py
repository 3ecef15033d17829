"""Changes to training images that do not change what they show, quick, in OpenCV; each image's are decided by its own generator."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data import Boxes
from edgecnn.types import Float32, Image

VISIBLE = 0.3  # an object of which less is left is neither to be found nor to be missed


@dataclass(frozen=True, slots=True)
class Jitter:
    """How much is changed: chance of a crop, range of its scale, and strengths of colour changes."""

    crop: float = 0.6
    scale: tuple[float, float] = (0.7, 1.5)
    gain: float = 0.25
    tint: float = 0.08
    gamma: float = 0.2


def shift(image: Image, rng: np.random.Generator, flip: bool, pixels: int = 2) -> Image:
    """A small image (h, w, c) moved by up to ``pixels`` and, in half of the cases, mirrored."""
    dy, dx = rng.integers(-pixels, pixels + 1, 2)
    height, width = image.shape[:2]
    moved = np.zeros_like(image)
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = image[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return moved[:, ::-1] if flip and rng.random() < 0.5 else moved


def warp(
    image: Image, boxes: Boxes, size: tuple[int, int], rng: np.random.Generator | None, flip: bool, pad: int, jitter: Jitter
) -> tuple[Image, Boxes]:
    """An image (h, w, 3) scaled, moved, mirrored and recoloured into ``size`` (height, width), and its boxes.

    Without ``rng`` it is only brought to ``size``. What is left of an object that is mostly cut off becomes a crowd box.
    """
    matrix = _matrix(image.shape[:2], size, rng, flip, jitter)
    plain = image.shape[:2] == size and bool((matrix == np.eye(2, 3)).all())
    if not plain:
        border = (pad, pad, pad)
        image = cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=border)  # type: ignore[assignment]
        boxes = move(boxes, matrix, size)
    if rng is not None:
        image = recolour(image, rng, jitter)
    return image, boxes


def _matrix(
    shape: tuple[int, int], size: tuple[int, int], rng: np.random.Generator | None, flip: bool, jitter: Jitter
) -> Float32:
    """(2, 3): from source pixels to ``size``."""
    scale = size[1] / shape[1]
    left = top = 0.0
    mirrored = False
    if rng is not None:
        mirrored = flip and rng.random() < 0.5
        if rng.random() < jitter.crop:
            zoom = float(np.exp(rng.uniform(*np.log(jitter.scale))))
            scale *= zoom
            left, top = (float(rng.uniform(0, 1)) * (length - length * zoom) for length in (size[1], size[0]))
    matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    if mirrored:
        matrix[0] = [-scale, 0, size[1] - 1 - left]
    return matrix


def move(boxes: Boxes, matrix: Float32, size: tuple[int, int]) -> Boxes:
    """Boxes after ``matrix`` (2, 3, no rotation), clipped to ``size``; the mostly hidden become crowd, the lost are left out."""
    if not len(boxes):
        return boxes
    scale, offset = matrix[[0, 1], [0, 1]], matrix[:, 2].copy()
    if scale[0] < 0:
        offset[0] += 1  # pixel centres are mirrored about (width - 1) / 2, edges about width / 2
    corners = boxes.xyxy.reshape(-1, 2, 2) * scale + offset
    corners = np.stack([corners.min(1), corners.max(1)], 1)
    full = np.maximum(corners[:, 1] - corners[:, 0], 1e-3).prod(1)
    clipped = np.clip(corners, 0, np.array(size[::-1], np.float32))
    share = (clipped[:, 1] - clipped[:, 0]).prod(1) / full
    crowd = np.zeros(len(boxes), bool) if boxes.crowd is None else boxes.crowd
    kept: NDArray[np.bool_] = share > 0
    return Boxes(clipped.reshape(-1, 4)[kept].astype(np.float32), boxes.class_id[kept], None, (crowd | (share < VISIBLE))[kept])


def recolour(image: Image, rng: np.random.Generator, jitter: Jitter) -> Image:
    """Other exposure, white balance and contrast, by one table for each channel."""
    gain = np.exp(rng.uniform(-jitter.gain, jitter.gain) + rng.uniform(-jitter.tint, jitter.tint, image.shape[2]))
    gamma = np.exp(rng.uniform(-jitter.gamma, jitter.gamma))
    level = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    table = np.clip(level * 255, 0, 255).astype(np.uint8)[None]
    recoloured: Image = cv2.LUT(image, table)  # type: ignore[assignment]
    return recoloured
