"""Projects solids of revolution: finds the profile point and the azimuth that each pixel shows.

The projection is parallel. A row of pixels cuts the circle of each profile point in an interval; the object's visible
surface in that row follows from running maxima and minima of the half widths of those intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.scene.profiles import POINTS, Profile
from edgecnn.types import Array, Float32, Image

AZIMUTHS = 144  # columns of a texture, 2.5 degrees each
WRAP = 2  # columns repeated at both ends, for interpolation across azimuth 0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A shape at a pitch (radians), drawn at ``scale`` pixels per cm with its foot's centre at pixel (ox, oy).

    ``near`` are the maps for ``cv2.remap`` from a wrapped texture to the visible surface; ``mask`` (H, W) uint8 is 255 inside
    the silhouette. ``front`` and ``far`` are the maps of the near and the far wall alone, for transparent objects;
    ``opening`` is 255 where the view passes over the near wall into the inside.
    """

    shape: Profile
    pitch: float
    scale: float
    ox: float
    oy: float
    near: tuple[Array, Array]
    front: tuple[Array, Array] | None
    far: tuple[Array, Array] | None
    mask: Image
    opening: Image


def extent(shape: Profile, pitch: float) -> float:
    """Apparent height of the shape at ``pitch`` radians, in cm: the foreshortened height and the tilted circles."""
    return float(shape.height * np.cos(pitch) + 2 * shape.radius * np.sin(pitch))


def view(shape: Profile, pitch: float, scale: float, margin: float, clear: bool) -> View:
    """The view at ``scale`` pixels per cm; ``margin`` is free room around in cm, ``clear`` asks for both walls too."""
    lean, rise = float(np.sin(pitch)), float(np.cos(pitch))
    half = shape.radius + margin
    top = max(shape.height * rise + shape.radius * lean, shape.height * rise * 0.9 + half * lean)
    bottom = half * lean
    width, height = int(2 * half * scale) + 5, int((top + bottom) * scale) + 5
    ox, oy = (width - 1) / 2, top * scale + 2
    x = ((np.arange(width, dtype=np.float32) - ox) / scale).astype(np.float32)
    y = ((np.arange(height, dtype=np.float32) - oy) / scale).astype(np.float32)
    spans = _spans(shape, y, lean, rise)
    outside = spans[: min(shape.rim + 1, POINTS)]
    mask = np.abs(x)[None] <= outside.max(0)[:, None]
    front = _last(outside, x)
    opening = np.abs(x)[None] <= spans[min(shape.rim, POINTS - 1)][:, None]
    seen = np.where(opening, _within(spans, shape.rim, x), front) if shape.rim < POINTS else front
    far = _first(outside, x) if clear else None
    return View(
        shape,
        pitch,
        scale,
        ox,
        oy,
        _maps(shape, lean, rise, x, y, seen),
        _maps(shape, lean, rise, x, y, front) if clear else None,
        _maps(shape, lean, rise, x, y, far) if far is not None else None,
        mask.astype(np.uint8) * 255,
        opening.astype(np.uint8) * 255,
    )


def _spans(shape: Profile, y: Float32, lean: float, rise: float) -> Float32:
    """Half width (POINTS, H) of each profile point's ellipse in each row; negative where the ellipse misses the row."""
    r = np.maximum(shape.r, 1e-3)[:, None]
    # the circle of a profile point projects to an ellipse with half axes r and r * sin(pitch); signed root where it misses the row
    gap = 1 - ((y[None] + shape.h[:, None] * rise) / (r * lean)) ** 2
    return np.asarray(np.sign(gap) * np.sqrt(np.abs(gap)) * r, np.float32)


def _rows(spans: Float32, order: Float32, x: Float32) -> Float32:
    """Position (H, W) along the profile, for ``spans`` (n, H) that do not decrease with n; ``order`` (n,) are the points.

    All rows are looked up in one call: each row's spans and pixels are moved to a range of their own.
    """
    # a solid of revolution is symmetric: one half is computed and mirrored
    across = np.abs(x[: (len(x) + 1) // 2])[::-1]
    rows = spans.shape[1]
    apart = np.arange(rows, dtype=np.float64)[:, None] * (4 * float(np.abs(spans).max() + across[-1]) + 1)
    table = spans.T.astype(np.float64)
    asked = np.clip(across[None], table[:, :1], table[:, -1:])
    half = np.interp((asked + apart).ravel(), (table + apart).ravel(), np.tile(order.astype(np.float64), rows))
    right = half.reshape(rows, -1).astype(np.float32)
    return np.concatenate([right[:, :0:-1] if len(x) % 2 else right[:, ::-1], right], axis=1)


def _last(spans: Float32, x: Float32) -> Float32:
    """The last point whose ellipse holds the pixel: painted upwards, it covers the others."""
    order = np.arange(len(spans), dtype=np.float32)[::-1]
    return _rows(np.maximum.accumulate(spans[::-1], axis=0), order, x)


def _first(spans: Float32, x: Float32) -> Float32:
    """The first point whose ellipse holds the pixel: the far wall."""
    return _rows(np.maximum.accumulate(spans, axis=0), np.arange(len(spans), dtype=np.float32), x)


def _within(spans: Float32, rim: int, x: Float32) -> Float32:
    """Within the rim, a line of sight goes down until it first leaves the circle of an inner point."""
    inner = np.minimum.accumulate(spans[rim:], axis=0)[::-1]
    return _rows(inner, np.arange(rim, len(spans), dtype=np.float32)[::-1], x)


def _maps(shape: Profile, lean: float, rise: float, x: Float32, y: Float32, along: Float32) -> tuple[Array, Array]:
    """Texture positions: the azimuth 0 is to the right and a quarter turn is towards the camera."""
    index = along.astype(np.int32)
    share = along - index
    nxt = np.minimum(index + 1, POINTS - 1)
    h = shape.h[index] * (1 - share) + shape.h[nxt] * share
    # undo the foreshortening: position on the circle towards the camera, in cm
    down = (y[:, None] + h * np.float32(rise)) / np.float32(lean)
    turn = cv2.phase(np.broadcast_to(x, along.shape).copy(), down.astype(np.float32))
    column = turn * np.float32(AZIMUTHS / (2 * np.pi)) + np.float32(WRAP)
    # fixed-point maps make cv2.remap faster
    maps: tuple[Array, Array] = cv2.convertMaps(column, along, cv2.CV_16SC2)
    return maps


def wrap(texture: Array) -> Array:
    """A texture (POINTS, AZIMUTHS, ...) padded with WRAP columns from the opposite side, as the maps expect it."""
    return np.concatenate([texture[:, -WRAP:], texture, texture[:, :WRAP]], axis=1)
