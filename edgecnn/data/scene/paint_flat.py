"""Paints what is not turned: papers, cutlery, books, boxes, a hand that reaches in."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.data.scene.camera import Camera, Real
from edgecnn.data.scene.canvas import NOTHING, Canvas
from edgecnn.data.scene.light import Light
from edgecnn.data.scene.looks import Look

SHIFT = 4
FACES = ((0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))


def box(canvas: Canvas, eye: Camera, lamp: Light, centre: Real, yaw: float, size: tuple[float, float, float], look: Look) -> None:
    """A block with its foot's centre at ``centre``, turned by ``yaw``: the sides that face the camera, then the top."""
    c, s = np.cos(yaw), np.sin(yaw)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.asarray(size[:2]) / 2
    base = square @ np.array([[c, s], [-s, c]]) + centre[:2]
    corners = np.r_[np.c_[base, np.full(4, centre[2])], np.c_[base, np.full(4, centre[2] + size[2])]]
    pixels = eye.project(corners)
    colour = np.asarray(look.outside) * 255
    for face in FACES:
        normal = _outward(corners, face)
        if (eye.position - corners[face[0]]) @ normal > 0:
            lit = lamp.ambient * 0.7 + (1.1 - lamp.ambient) * max(0.0, float(normal @ lamp.direction))
            _fill(canvas, pixels[list(face)], colour * lit)
    lit = lamp.ambient + (1.1 - lamp.ambient) * float(lamp.direction[2])
    _fill(canvas, pixels[4:], np.asarray(look.accent if look.pattern == "dip" else look.outside) * 255 * lit)


def _outward(corners: Real, face: tuple[int, ...]) -> Real:
    edge = corners[face[1]] - corners[face[0]]
    normal = np.array([edge[1], -edge[0], 0.0])
    return normal / max(float(np.hypot(*normal[:2])), 1e-6)


def _fill(canvas: Canvas, points: Real, colour: Real) -> None:
    line = np.round(np.clip(points, -4000, 8000) * 2**SHIFT).astype(np.int32)
    cv2.fillConvexPoly(canvas.image, line, np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SHIFT)
    cv2.fillConvexPoly(canvas.ids, line, NOTHING, cv2.LINE_8, SHIFT)
