"""Moves boxes with their image: by the ellipse rule, and without what is no longer visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Array, Boxes, Float32

VISIBLE = 0.3  # fraction of its area: an object of which less remains becomes a crowd box, which loss and measure ignore


def move_boxes(boxes: Boxes, matrix: Array, size: tuple[int, int]) -> tuple[Boxes, NDArray[np.bool_]]:
    """The boxes of an image that ``matrix`` (2, 3) maps to one of ``size`` (height, width), and which of them were kept, (n,).

    Coordinates are pixels from the upper left edge. Rotated boxes are moved by their corners, upright ones by their inscribed ellipses;
    visibility is as in ``keep_visible``.
    """
    corners = None
    if boxes.corners is not None:
        corners = move_points(boxes.corners.reshape(-1, 2), matrix).reshape(-1, 4, 2)
        xyxy = np.concatenate([corners.min(1), corners.max(1)], 1)
    else:
        xyxy = ellipse_boxes(move_points(ellipse_points(boxes.xyxy), matrix))
    share = _visible(xyxy, size)[1]
    kept: NDArray[np.bool_] = share > 0
    shown = keep_visible(boxes, xyxy, size)
    area = None
    if boxes.area is not None:
        zoom = abs(float(np.linalg.det(np.asarray(matrix, np.float64)[:, :2])))
        area = (boxes.area * zoom * share)[kept].astype(np.float32)
    return Boxes(shown.xyxy, shown.class_id, None, shown.crowd, area, None if corners is None else corners[kept]), kept


def move_points(points: Float32, matrix: Array) -> Float32:
    """Points (n, 2), mapped by ``matrix`` (2, 3)."""
    moved: Float32 = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return moved


def ellipse_points(xyxy: Float32) -> Float32:
    """Centre, and middles of the right and of the lower side of each box, (3 n, 2): they define its inscribed ellipse."""
    low, high = xyxy[:, :2], xyxy[:, 2:]
    middle, half = (low + high) / 2, (high - low) / 2
    right, below = middle + half * [1, 0], middle + half * [0, 1]
    return np.stack([middle, right, below], 1).reshape(-1, 2).astype(np.float32)


def ellipse_boxes(points: Float32) -> Float32:
    """Boxes (n, 4) around transformed inscribed ellipses, which are tighter than boxes around rotated corners.

    Kalra et al. 2021, arXiv:2109.13488.
    """
    middle, right, below = points.reshape(-1, 3, 2).transpose(1, 0, 2)
    half = np.sqrt((right - middle) ** 2 + (below - middle) ** 2)
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def keep_visible(boxes: Boxes, xyxy: Float32, size: tuple[int, int]) -> Boxes:
    """``boxes`` at their new positions ``xyxy``, clipped to ``size`` (height, width).

    Boxes of which less than ``VISIBLE`` remains become crowd boxes; boxes outside of the image are dropped.
    """
    clipped, share = _visible(xyxy, size)
    crowd = np.zeros(len(boxes), bool) if boxes.crowd is None else boxes.crowd
    kept: NDArray[np.bool_] = share > 0
    return Boxes(clipped[kept], boxes.class_id[kept], None, (crowd | (share < VISIBLE))[kept])


def _visible(xyxy: Float32, size: tuple[int, int]) -> tuple[Float32, Float32]:
    """Boxes clipped to an image, and the share of each that is left, (n,)."""
    # the lower bound avoids a division by zero for empty boxes
    full = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 1e-3).prod(1)
    clipped = np.clip(xyxy, 0, np.array([size[1], size[0]] * 2, np.float32))
    share: Float32 = np.maximum(clipped[:, 2:] - clipped[:, :2], 0).prod(1) / full
    return clipped, share
