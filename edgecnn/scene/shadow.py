"""Shadows that things cast on the table."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.scene.camera import Camera, Real
from edgecnn.scene.light import Light
from edgecnn.scene.world import Thing
from edgecnn.types import Image

COARSE = 4
_ANGLES = np.arange(16) * (2 * np.pi / 16)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def cast(image: Image, eye: Camera, lamp: Light, things: Sequence[Thing], t: float) -> None:
    """Darken ``image`` in place where ``things`` keep the lamp from the table, and more closely where they stand."""
    height, width = image.shape[:2]
    mask = np.zeros((-(-height // COARSE), -(-width // COARSE)), np.uint8)
    slope = -lamp.direction[:2] / max(float(lamp.direction[2]), 0.3)
    at = np.array([thing.place(t) for thing in things]).reshape(-1, 2)
    for strength, rings in ((0.75 * (1 - lamp.ambient), _thrown(things, at, slope)), (0.55, _contact(things, at))):
        flat = rings.reshape(-1, 2)
        pixels = eye.project(np.column_stack([flat, np.zeros(len(flat))])) / COARSE
        for ring in np.clip(pixels, -2000, 4000).astype(np.float32).reshape(rings.shape):
            hull = cv2.convexHull(ring)
            cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), strength * 255, cv2.LINE_AA, 4)
        mask = cv2.blur(cv2.blur(mask, (5, 5)), (3, 3))
    dark = cv2.cvtColor(cv2.resize(255 - mask, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR)
    cv2.multiply(image, dark, dst=image, scale=1 / 255)


def _thrown(things: Sequence[Thing], at: Real, slope: Real) -> Real:
    """(n, 32, 2) on the table: the feet's circles, and the tops' moved away from the lamp."""
    radius = np.array([thing.radius for thing in things])[:, None, None]
    height = np.array([min(thing.height, 14) for thing in things])[:, None, None]
    centre = at[:, None]
    return np.concatenate([centre + _RING * (radius * 0.85), centre + slope * height + _RING * radius], 1)


def _contact(things: Sequence[Thing], at: Real) -> Real:
    """(n, 16, 2) on the table: where the things stand."""
    radius = [float(thing.shape.r[0]) * 1.1 if thing.shape is not None else thing.radius for thing in things]
    return np.asarray(at[:, None] + _RING * np.array(radius)[:, None, None])


def ground_contact(image: Image, eye: Camera, foot: Real, radius: float) -> None:
    """Darken softly, in place, around the foot of a thing that stands on another."""
    rim = eye.project(np.column_stack([foot[:2] + _RING * radius, np.full(len(_RING), foot[2])]))
    x0, y0 = (max(int(v) - 6, 0) for v in rim.min(0))
    x1, y1 = (int(v) + 7 for v in rim.max(0))
    area = image[y0:y1, x0:x1]
    if not area.size:
        return
    mask = np.zeros(area.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round((rim - [x0, y0]) * 16).astype(np.int32), 120, cv2.LINE_AA, 4)
    soft = cv2.blur(cv2.blur(mask, (7, 7)), (5, 5))
    cv2.multiply(area, cv2.cvtColor(255 - soft, cv2.COLOR_GRAY2BGR), dst=area, scale=1 / 255)
