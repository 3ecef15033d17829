"""Rotation, shift and scale: where they move pixels, and images, masks and points moved so.

Matrices (2, 3) map pixels from the left upper edge of the image, as boxes have them; OpenCV counts from the centre of the first pixel.
"""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.types import NO_CLASS, Array, Float32, Image


def rotation(size: tuple[int, int], degrees: float, random: np.random.Generator) -> Array:
    """Clockwise by ``degrees`` around the centre of an image of (height, width)."""
    angle = np.deg2rad(degrees)
    # rounded: quarter turns then move whole pixels
    cos, sin = round(float(np.cos(angle)), 12), round(float(np.sin(angle)), 12)
    x, y = size[1] / 2, size[0] / 2
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])


def shift(size: tuple[int, int], pixels: float, random: np.random.Generator) -> Array:
    """By whole pixels along one of the diagonals, which ``random`` draws."""
    across, down = random.choice([-1, 1], 2)
    return np.array([[1, 0, across * round(pixels)], [0, 1, down * round(pixels)]], np.float64)


def zoom(size: tuple[int, int], factor: float, random: np.random.Generator) -> Array:
    """By ``factor`` around the centre, so that the content is a whole number of pixels wide and high."""
    height, width = (max(round(side * factor), 1) for side in size)
    left, top = (size[1] - width) // 2, (size[0] - height) // 2
    return np.array([[width / size[1], 0, left], [0, height / size[0], top]])


def move_image(image: Image, matrix: Array) -> Image:
    """``image`` (H, W, C) moved within its size; what comes from outside has the median colour of its border."""
    height, width = image.shape[:2]
    fill = _border_colour(image)
    if not matrix[0, 1] and not matrix[1, 0] and matrix[0, 0] > 0 and matrix[1, 1] > 0:
        return _resized(image, matrix, fill)
    moved = cv2.warpAffine(image, _by_centres(matrix), (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)
    return moved.reshape(image.shape).astype(np.uint8, copy=False)


def move_mask(mask: Image, matrix: Array) -> Image:
    """A mask (H, W) of class ids, moved; NO_CLASS where nothing is known."""
    size = (mask.shape[1], mask.shape[0])
    flags = cv2.INTER_NEAREST
    return cv2.warpAffine(mask, _by_centres(matrix), size, flags=flags, borderValue=(NO_CLASS,)).astype(np.uint8, copy=False)


def move_key_points(points: Float32, matrix: Array, size: tuple[int, int]) -> Float32:
    """Key points (n, K, 3), moved; those that leave the image of (height, width) are no longer labelled."""
    moved = points.copy()
    moved[..., :2] = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    inside = ((moved[..., :2] >= 0) & (moved[..., :2] <= [size[1], size[0]])).all(-1)
    moved[~inside | (points[..., 2] == 0)] = 0
    return np.asarray(moved, np.float32)


def _by_centres(matrix: Array) -> Array:
    """The same map between pixel centres, as OpenCV wants it."""
    moved = np.array(matrix, np.float64)
    moved[:, 2] += moved[:, :2].sum(1) / 2 - 0.5
    return moved


def _border_colour(image: Image) -> list[float]:
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return [float(value) for value in np.median(border, axis=0)]


def _resized(image: Image, matrix: Array, fill: list[float]) -> Image:
    """An upright content at whole pixels: exact for shifts, and without aliasing where it becomes smaller."""
    height, width = image.shape[:2]
    wide, high = round(matrix[0, 0] * width), round(matrix[1, 1] * height)
    left, top = round(matrix[0, 2]), round(matrix[1, 2])
    content = image
    if (wide, high) != (width, height):
        how = cv2.INTER_AREA if wide < width else cv2.INTER_LINEAR
        content = (
            cv2.resize(image, (wide, high), interpolation=how).reshape(high, wide, image.shape[2]).astype(np.uint8, copy=False)
        )
    whole = np.empty_like(image)
    whole[:] = np.array(fill[: image.shape[2]], np.uint8)
    shown = content[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    if shown.size:
        above, before = max(top, 0), max(left, 0)
        whole[above : above + shown.shape[0], before : before + shown.shape[1]] = shown
    return whole
