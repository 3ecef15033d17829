"""Compositing: the image being painted, and an id image with the number of the object that each pixel shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.scene.camera import Float64, PinholeCamera
from edgecnn.types import Array, Image

BACKGROUND = 0  # in the id image; objects are numbered from 1 there


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An object painted once: premultiplied BGRA (h, w, 4), its outline (h, w) of 255 or 0, foot at (ox, oy), pixels per cm.

    ``area`` counts the outline in square cm of the image plane. ``bend`` (h, w, 2) float32, for a transparent object, is the refraction:
    the displacement of the background in cm. ``handle`` (n, 2) float32 are the pixels of a handle's middle that the body
    does not hide, ``thick`` is its thickness in pixels.
    """

    pixels: Array
    outline: Array
    ox: float
    oy: float
    scale: float
    area: float
    bend: Array | None = None
    handle: Array | None = None
    thick: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The image (H, W, 3) uint8 and the number + 1 of the object that each pixel shows (H, W) uint8, BACKGROUND elsewhere."""

    image: Image
    ids: Image

    def stamp(self, sprite: Sprite, affine: Float64, number: int) -> tuple[int, int, int, int] | None:
        """Paint ``sprite`` transformed by ``affine`` (2, 3); returns the changed part (x0, y0, x1, y1), None if it is outside."""
        # only the part of the image that the sprite can change is warped and blended
        box = _bounds(sprite.pixels.shape, affine, self.ids.shape)
        if box is None:
            return None
        x0, y0, x1, y1 = box
        local = affine.copy()
        local[:, 2] -= (x0, y0)
        size = (x1 - x0, y1 - y0)
        drawn = cv2.warpAffine(sprite.pixels, local, size, flags=cv2.INTER_LINEAR)
        area = self.image[y0:y1, x0:x1]
        outline = cv2.extractChannel(drawn, 3)
        # glass is partly transparent: its id covers the whole outline, not only where its alpha is above one half
        if sprite.bend is not None:
            outline = cv2.warpAffine(sprite.outline, local, size, flags=cv2.INTER_LINEAR)
            _refract(area, cv2.warpAffine(sprite.bend, local, size, flags=cv2.INTER_LINEAR), local[:, :2] * sprite.scale)
        blend(area, drawn)
        mark_ids(self.ids[y0:y1, x0:x1], outline, number + 1)
        return box


def mark_ids(ids: Array, cover: Array, value: int) -> None:
    """Write ``value`` in place where ``cover`` (same size, uint8) is over one half."""
    shows = cv2.threshold(cover, 127, 255, cv2.THRESH_BINARY)[1]
    cv2.copyTo(np.full(cover.shape, value, np.uint8), shows, ids)


def blend(area: Array, drawn: Array) -> None:
    """Alpha-blend premultiplied BGRA over ``area`` in place."""
    # "over" of premultiplied colours: drawn + (1 - alpha) * area; OpenCV's uint8 operations are much faster than float NumPy
    rest = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(drawn, 3)), cv2.COLOR_GRAY2BGR)
    cv2.multiply(area, rest, dst=area, scale=1 / 255)
    cv2.add(area, cv2.cvtColor(drawn, cv2.COLOR_BGRA2BGR), dst=area)


def _refract(area: Array, bend: Array, linear: Float64) -> None:
    """Refraction, in place: each pixel shows the background ``bend`` (cm of the sprite) away."""
    shift = cv2.transform(bend, linear.astype(np.float32))
    height, width = area.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + shift[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + shift[..., 1]
    area[:] = cv2.remap(area, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _bounds(shape: tuple[int, ...], affine: Float64, frame: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    height, width = shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64) @ affine.T
    low, high = np.floor(corners.min(0)) - 1, np.ceil(corners.max(0)) + 2
    x0, y0 = int(max(low[0], 0)), int(max(low[1], 0))
    x1, y1 = int(min(high[0], frame[1])), int(min(high[1], frame[0]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def upright(camera: PinholeCamera, foot: Float64, height: float) -> tuple[Float64, Float64, Float64]:
    """Pixel of ``foot`` (x, y, z), the pixel vector of one cm to its right, and the unit vector down its vertical axis."""
    x, y, z = foot.tolist()
    dx, dy = x - float(camera.position[0]), y - float(camera.position[1])
    far = max(math.hypot(dx, dy), 1e-6)
    base, right, top = camera.project(np.array([[x, y, z], [x + dy / far, y - dx / far, z], [x, y, z + max(height, 1.0)]]))
    lean = base - top
    across = right - base
    length = math.hypot(*lean)
    # seen from straight above, the upright axis projects to one point: use the perpendicular of the horizontal direction
    if length < 1e-3:
        lean, length = np.array([-across[1], across[0]]), math.hypot(*across)
    return base, across, lean / length


def pitch_at(camera: PinholeCamera, foot: Float64) -> float:
    """The angle (radians) at which the camera looks down at ``foot``."""
    away = foot - camera.position
    return float(np.arctan2(-away[2], np.hypot(away[0], away[1])))


def sprite_transform(sprite: Sprite, camera: PinholeCamera, foot: Float64, height: float, stretch: float) -> Float64:
    """The affine map (2, 3) from sprite pixels to image pixels that places the sprite at the world point ``foot``."""
    origin, across, down = upright(camera, foot, height)
    # the sprite was painted at one pitch: ``stretch`` adapts its height to the present one
    tall = down * math.hypot(*across) * stretch
    affine = np.empty((2, 3))
    affine[:, 0] = across / sprite.scale
    affine[:, 1] = tall / sprite.scale
    affine[:, 2] = origin - affine[:, 0] * sprite.ox - affine[:, 1] * sprite.oy
    return affine


def premultiply(colour: Array, alpha: Array) -> Array:
    """Premultiplied BGRA (h, w, 4) uint8 from a colour (h, w, 3) and its alpha (h, w), both 0..255."""
    cover = np.asarray(alpha, np.uint8)
    scaled = cv2.multiply(colour, cv2.cvtColor(cover, cv2.COLOR_GRAY2BGR), scale=1 / 255)
    return cv2.insertChannel(cover, cv2.cvtColor(scaled, cv2.COLOR_BGR2BGRA), 3)


def cropped(colour: Array, outline: Array, seen_at: tuple[float, float, float]) -> Sprite:
    """A sprite of an opaque object, cropped to its outline; ``seen_at`` is the foot's pixel (x, y) and pixels per cm."""
    ox, oy, scale = seen_at
    x, y, w, h = cv2.boundingRect(outline)
    x, y = max(x - 2, 0), max(y - 2, 0)
    part = np.ascontiguousarray(outline[y : y + h + 4, x : x + w + 4])
    area = np.count_nonzero(part > 127) / scale**2
    # antialiasing: the outline is binary
    edge = cv2.blur(part, (3, 3))
    pixels = premultiply(np.ascontiguousarray(colour[y : y + h + 4, x : x + w + 4]), edge)
    return Sprite(pixels, edge, ox - x, oy - y, scale, area)
