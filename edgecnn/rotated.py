"""Rotated boxes: centre x, centre y, width, height in pixels and angle in radians, clockwise in the image; their corners and overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from edgecnn.types import Array, Float32

EMPTY = 1e-7


def regular(boxes: Float32) -> Float32:
    """The same boxes (n, 5) with an angle from 0 to below pi / 2; width and height are swapped where that needs it."""
    out = np.array(boxes, np.float32)
    turned = boxes[:, 4] % np.pi >= np.pi / 2
    out[turned, 2:4] = boxes[turned, 3:1:-1]
    out[:, 4] = boxes[:, 4] % (np.pi / 2)
    return out


def corners(boxes: Float32) -> Float32:
    """The corners (n, 4, 2) of boxes (n, 5), around each of them."""
    across = np.stack([np.cos(boxes[:, 4]), np.sin(boxes[:, 4])], 1) * boxes[:, 2:3] / 2
    down = np.stack([-np.sin(boxes[:, 4]), np.cos(boxes[:, 4])], 1) * boxes[:, 3:4] / 2
    ends = [-across - down, across - down, across + down, down - across]
    return np.stack([boxes[:, :2] + end for end in ends], 1).astype(np.float32)


def from_corners(points: Float32) -> Float32:
    """The smallest rotated boxes (n, 5) around four points each, (n, 4, 2)."""
    found = [cv2.minAreaRect(np.asarray(four, np.float32)) for four in points]
    rows = [(x, y, width, height, np.deg2rad(angle)) for (x, y), (width, height), angle in found]
    return regular(np.array(rows, np.float32).reshape(-1, 5))


def enclosing(boxes: Float32) -> Float32:
    """The upright boxes (n, 4), xyxy, around rotated ones."""
    points = corners(boxes)
    return np.concatenate([points.min(1), points.max(1)], 1)


def moved(boxes: Float32, change: Callable[[Float32], Float32]) -> Float32:
    """Boxes (n, 5) whose corners (n, 4, 2) ``change`` moves; where it stretches them, the smallest boxes around the results."""
    return from_corners(change(corners(boxes)))


def overlap(a: Float32, b: Float32) -> Float32:
    """Exact intersection over union of each of ``a`` (n, 5) with each of ``b`` (m, 5): (n, m)."""
    out = np.zeros((len(a), len(b)), np.float32)
    first, second = enclosing(a), enclosing(b)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    near = (np.minimum(first[:, None, 2:], second[None, :, 2:]) > low).all(2)
    shapes = [[[(float(x), float(y)) for x, y in four] for four in corners(boxes)] for boxes in (a, b)]
    sizes = [np.abs(boxes[:, 2] * boxes[:, 3]).astype(np.float64) for boxes in (a, b)]
    for row, column in zip(*np.nonzero(near), strict=True):
        shared = _area(_clipped(shapes[0][row], shapes[1][column]))
        union = sizes[0][row] + sizes[1][column] - shared
        out[row, column] = min(shared / union, 1.0) if union > EMPTY else 0.0
    return out


Point = tuple[float, float]


def _clipped(shape: Sequence[Point], window: Sequence[Point]) -> list[Point]:
    """The part of a convex polygon inside a convex window (Sutherland and Hodgman 1974); the window turns like ``corners``.

    OpenCV's intersectConvexConvex loses a third of the area of some nearly equal rectangles.
    """
    found = list(shape)
    for first, second in zip(window, (*window[1:], window[0]), strict=True):
        sides = [_side(first, second, point) for point in found]
        kept: list[Point] = []
        for index, (point, side) in enumerate(zip(found, sides, strict=True)):
            before, other = found[index - 1], sides[index - 1]
            if (side >= 0) != (other >= 0):
                share = other / (other - side)
                kept.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
            if side >= 0:
                kept.append(point)
        found = kept
    return found


def _side(first: Point, second: Point, point: Point) -> float:
    return (second[0] - first[0]) * (point[1] - first[1]) - (second[1] - first[1]) * (point[0] - first[0])


def _area(shape: Sequence[Point]) -> float:
    if not shape:
        return 0.0
    start = shape[0]
    return abs(sum(_side(start, second, third) for second, third in pairwise(shape[1:]))) / 2


def probabilistic_overlap(a: Float32, b: Float32) -> Float32:
    """Overlap of boxes taken as normal distributions: 1 - Hellinger distance, (n, m). ProbIoU, arXiv:2106.06072, equations 8 to 12."""
    ax, ay, aa, ab, ac = (part[:, None] for part in _gaussians(a))
    bx, by, ba, bb, bc = (part[None, :] for part in _gaussians(b))
    whole = (aa + ba) * (ab + bb) - (ac + bc) ** 2
    dx, dy = ax - bx, ay - by
    first = ((aa + ba) * dy**2 + (ab + bb) * dx**2) / (whole + EMPTY) / 4
    second = (ac + bc) * -dx * dy / (whole + EMPTY) / 2
    parts = np.clip(aa * ab - ac**2, 0, None) * np.clip(ba * bb - bc**2, 0, None)
    third = np.log(whole / (4 * np.sqrt(parts) + EMPTY) + EMPTY) / 2
    distance = np.clip(first + second + third, EMPTY, 100)
    found: Float32 = (1 - np.sqrt(1 - np.exp(-distance) + EMPTY)).astype(np.float32)
    return found


def _gaussians(boxes: Float32) -> tuple[Array, Array, Array, Array, Array]:
    """Centre x and y, and the covariance (xx, yy, xy) of a uniform distribution over each box."""
    x, y, width, height, angle = boxes.astype(np.float64).T
    along, across = width**2 / 12, height**2 / 12
    cos, sin = np.cos(angle), np.sin(angle)
    return x, y, along * cos**2 + across * sin**2, along * sin**2 + across * cos**2, (along - across) * cos * sin
