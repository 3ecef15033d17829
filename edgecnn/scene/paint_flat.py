"""Paints flat and box-shaped objects: papers, cutlery, books and boxes, each a box with an image on top."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.scene.camera import Float64, PinholeCamera
from edgecnn.scene.canvas import BACKGROUND, Canvas, blend, mark_ids
from edgecnn.scene.decals import MARGIN
from edgecnn.scene.light import Light
from edgecnn.types import Array

SHIFT = 4  # fractional bits of polygon corners in OpenCV: 1/16 pixel
FACES = ((0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))  # corners of the sides: 0 to 3 below, 4 to 7 above
WHITE = np.array([225.0, 235.0, 238.0])


def paint_box(
    canvas: Canvas,
    camera: PinholeCamera,
    lamp: Light,
    foot: Float64,
    yaw: float,
    size: tuple[float, float, float],
    top: Array,
    cover: Float64,
) -> None:
    """Paint a box at ``foot``, rotated by ``yaw``: first the visible sides in the colour ``cover``, then the top.

    ``top`` (h, w, 4) is the image on it, already lit.
    """
    c, s = np.cos(yaw), np.sin(yaw)
    square = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * np.asarray(size[:2]) / 2
    base = square @ np.array([[c, s], [-s, c]]) + foot[:2]
    heights = np.repeat([foot[2], foot[2] + size[2]], 4)
    corners = np.column_stack([np.concatenate([base, base]), heights])
    pixels = camera.project(corners)
    # thinner objects look flat from above: their sides are not drawn
    if size[2] > 1.5:
        _sides(canvas, camera, lamp, corners, pixels, cover)
    _top(canvas, pixels[4:], top)


def lit_from_above(top: Array, lamp: Light) -> Array:
    """Shade an image (h, w, 4) that lies flat under the lamp."""
    level = min(1.2, lamp.ambient + (1.1 - lamp.ambient) * float(lamp.direction[2]))
    return cv2.merge([*cv2.split(cv2.convertScaleAbs(top[..., :3], alpha=level)), top[..., 3]])


def _sides(canvas: Canvas, camera: PinholeCamera, lamp: Light, corners: Float64, pixels: Float64, cover: Float64) -> None:
    """Plain sides; a low block is a book, and three of its sides are pages."""
    pages = corners[4, 2] - corners[0, 2] < 4
    for k, face in enumerate(FACES):
        edge = corners[face[1]] - corners[face[0]]
        normal = np.array([-edge[1], edge[0], 0.0]) / max(float(np.hypot(edge[0], edge[1])), 1e-6)
        # back-face culling: only sides whose normal points to the camera are visible
        if (camera.position - corners[face[0]]) @ normal > 0:
            lit = lamp.ambient * 0.7 + (1.1 - lamp.ambient) * max(0.0, float(normal @ lamp.direction))
            fill(canvas, pixels[list(face)], (WHITE if pages and k != 3 else cover) * lit)


def _top(canvas: Canvas, quad: Float64, top: Array) -> None:
    height, width = top.shape[:2]
    # the object without the margin of its shadow is mapped to the quad; the margin lands around it
    inner = np.array(
        [[MARGIN, MARGIN], [width - MARGIN, MARGIN], [width - MARGIN, height - MARGIN], [MARGIN, height - MARGIN]], np.float32
    )
    move = cv2.getPerspectiveTransform(inner, quad.astype(np.float32))
    outer = cv2.perspectiveTransform(np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32), move)[0]
    rows, columns = canvas.ids.shape
    x0, y0 = (max(int(v) - 1, 0) for v in outer.min(0))
    x1, y1 = min(int(outer[:, 0].max()) + 2, columns), min(int(outer[:, 1].max()) + 2, rows)
    if x1 <= x0 or y1 <= y0:
        return
    local = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64) @ move
    drawn = cv2.warpPerspective(top, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    blend(canvas.image[y0:y1, x0:x1], drawn)
    mark_ids(canvas.ids[y0:y1, x0:x1], cv2.extractChannel(drawn, 3), BACKGROUND)


def fill(canvas: Canvas, points: Float64, colour: Float64) -> None:
    """A polygon of one colour that hides what is behind it."""
    # points close to the camera plane project far outside: fixed-point coordinates would overflow
    line = np.round(np.clip(points, -4000, 8000) * 2**SHIFT).astype(np.int32)
    cv2.fillConvexPoly(canvas.image, line, np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SHIFT)
    cv2.fillConvexPoly(canvas.ids, line, BACKGROUND, cv2.LINE_8, SHIFT)
