"""Draws the shadows that objects cast on the table."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.scene.camera import Float64, PinholeCamera
from edgecnn.scene.light import Light
from edgecnn.scene.world import SceneObject
from edgecnn.types import Image

COARSE = 4  # shadows are soft: they are computed at a quarter of the resolution
_ANGLES = np.arange(16) * (2 * np.pi / 16)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def cast_shadows(image: Image, camera: PinholeCamera, lamp: Light, objects: Sequence[SceneObject], t: float) -> None:
    """Darken ``image`` in place by the cast shadows of ``objects`` and the contact shadows around their feet."""
    height, width = image.shape[:2]
    mask = np.zeros((-(-height // COARSE), -(-width // COARSE)), np.uint8)
    # shift of a shadow per cm of height; limited for a low lamp, whose shadows would cross the whole table
    slope = -lamp.direction[:2] / max(float(lamp.direction[2]), 0.3)
    at = np.array([item.place(t) for item in objects]).reshape(-1, 2)
    for strength, rings in ((0.75 * (1 - lamp.ambient), _thrown(objects, at, slope)), (0.55, _contact(objects, at))):
        flat = rings.reshape(-1, 2)
        pixels = camera.project(np.column_stack([flat, np.zeros(len(flat))])) / COARSE
        for ring in np.clip(pixels, -2000, 4000).astype(np.float32).reshape(rings.shape):
            # the shadow of a cylinder: the convex hull of its foot and of its shifted top
            hull = cv2.convexHull(ring)
            cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), strength * 255, cv2.LINE_AA, 4)
        mask = cv2.blur(cv2.blur(mask, (5, 5)), (3, 3))
    dark = cv2.cvtColor(cv2.resize(255 - mask, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR)
    cv2.multiply(image, dark, dst=image, scale=1 / 255)


def _thrown(objects: Sequence[SceneObject], at: Float64, slope: Float64) -> Float64:
    """Cast shadows, (n, 32, 2) points on the table: circles of the feet, and of the tops shifted away from the lamp."""
    radius = np.array([item.radius for item in objects])[:, None, None]
    height = np.array([min(item.height, 14) for item in objects])[:, None, None]
    centre = at[:, None]
    return np.concatenate([centre + _RING * (radius * 0.85), centre + slope * height + _RING * radius], 1)


def _contact(objects: Sequence[SceneObject], at: Float64) -> Float64:
    """Contact shadows, (n, 16, 2) points on the table: circles around the feet."""
    radius = [float(item.shape.r[0]) * 1.1 if item.shape is not None else item.radius for item in objects]
    return np.asarray(at[:, None] + _RING * np.array(radius)[:, None, None])


def ground_contact(image: Image, camera: PinholeCamera, foot: Float64, radius: float) -> None:
    """Darken ``image`` in place around the foot of an object that stands on another: its contact shadow."""
    rim = camera.project(np.column_stack([foot[:2] + _RING * radius, np.full(len(_RING), foot[2])]))
    x0, y0 = (max(int(v) - 6, 0) for v in rim.min(0))
    x1, y1 = (int(v) + 7 for v in rim.max(0))
    area = image[y0:y1, x0:x1]
    if not area.size:
        return
    mask = np.zeros(area.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round((rim - [x0, y0]) * 16).astype(np.int32), 120, cv2.LINE_AA, 4)
    soft = cv2.blur(cv2.blur(mask, (7, 7)), (5, 5))
    cv2.multiply(area, cv2.cvtColor(255 - soft, cv2.COLOR_GRAY2BGR), dst=area, scale=1 / 255)
