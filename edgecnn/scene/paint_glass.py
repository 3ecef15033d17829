"""Paints drinking glasses in layers: far wall, liquid and near wall over the refracted background."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.scene.appearance import Appearance
from edgecnn.scene.camera import Float64
from edgecnn.scene.canvas import Sprite
from edgecnn.scene.light import Light, normals, shading
from edgecnn.scene.profiles import POINTS, Profile
from edgecnn.scene.revolve import AZIMUTHS, View, wrap
from edgecnn.types import Array, Float32


def paint_glass(seen: View, surface: Appearance, lamp: Light, towards: Float64) -> Sprite:
    """A drinking glass: far wall, liquid and near wall over the refracted background."""
    assert seen.front is not None
    assert seen.far is not None
    shape = seen.shape
    shade, bright = shading(shape, seen.pitch, lamp, towards, 1.0)
    tinted = np.asarray(surface.accent if surface.seed % 5 == 0 else (0.93, 0.95, 0.92), np.float32)
    edge = _grazing(shape, seen.pitch)
    far = _sheet(shade, bright * 0.6, 0.04 + 0.30 * edge**2, tinted * 0.9, seen.far)
    cover = 0.05 + 0.55 * edge**3 + (0.18 if surface.seed % 5 == 0 else 0.0)
    near = _sheet(shade, bright * 1.15, _with_base(shape, cover), tinted, seen.front)
    near[seen.opening > 0] = 0
    layers = [far]
    if shape.fill < POINTS:
        layers.append(_drink(seen, surface, shade))
    result = np.zeros((*seen.mask.shape, 4), np.float32)
    # "over" compositing of premultiplied layers, back to front
    for layer in (*layers, near, _rim(seen, tinted)):
        result = result * (1 - layer[..., 3:]) + layer
    edge = cv2.blur(seen.mask, (3, 3)).astype(np.float32)
    pixels = np.clip(cv2.GaussianBlur(result, (3, 3), 0) * edge[..., None], 0, 255).astype(np.uint8)
    area = cv2.countNonZero(seen.mask) / seen.scale**2
    return Sprite(pixels, seen.mask, seen.ox, seen.oy, seen.scale, area, _bend(seen))


def _grazing(shape: Profile, pitch: float) -> Float32:
    """Fresnel-like term: 0 where the view is perpendicular to the wall, 1 at grazing angles; (POINTS, AZIMUTHS)."""
    azimuth = np.arange(AZIMUTHS, dtype=np.float32) * np.float32(2 * np.pi / AZIMUTHS)
    nr, nh = (part[:, None] for part in normals(shape))
    facing = np.abs(nr * np.sin(azimuth)[None] * np.cos(pitch) + nh * np.sin(pitch))
    return np.asarray(1 - np.clip(facing, 0, 1), np.float32)


def _with_base(shape: Profile, cover: Float32) -> Float32:
    """Opacity of the wall with the thick bottom and a stem added, which are less transparent."""
    extra = np.zeros(POINTS, np.float32)
    outer = shape.h[: shape.rim]
    extra[: shape.rim] = np.where(outer < 0.08 * shape.height, 0.2, 0) + np.where(shape.r[: shape.rim] < 0.8, 0.15, 0)
    return np.asarray(np.clip(cover + extra[:, None], 0, 0.95), np.float32)


def _rim(seen: View, colour: Float32) -> Float32:
    """The rim: a bright line with a dark one inside."""
    shape = seen.shape
    layer = np.zeros((*seen.mask.shape, 4), np.uint8)
    centre = (seen.ox, seen.oy - float(shape.h[shape.rim]) * np.cos(seen.pitch) * seen.scale)
    radius = (float(shape.r[shape.rim]) - 0.1) * seen.scale
    axes = (radius, radius * np.sin(seen.pitch))
    thick = max(1, round(0.2 * seen.scale))
    for shrink, tone, cover in ((thick, 0.25, 70), (0, 0.98, 185)):
        b, g, r = (float(part) * tone * cover for part in colour)
        inner = (max(axes[0] - shrink, 1), max(axes[1] - shrink, 1))
        cv2.ellipse(layer, _fixed(centre), _fixed(inner), 0, 0, 360, (b, g, r, cover), thick, cv2.LINE_AA, 4)
    return np.asarray(layer / np.float32(255), np.float32)


def _sheet(shade: Float32, bright: Float32, cover: Float32, colour: Float32, maps: tuple[Array, Array]) -> Array:
    """One wall as premultiplied BGRA float (h, w, 4)."""
    alpha = np.clip(cover + bright, 0, 1)
    # highlights add to the colour and to alpha: a reflection also hides what is behind the glass
    light = colour * (0.55 + 0.45 * shade[..., None]) * cover[..., None] + bright[..., None]
    texture = np.concatenate([np.minimum(light, alpha[..., None]), alpha[..., None]], 2).astype(np.float32)
    return cv2.remap(wrap(texture), *maps, cv2.INTER_LINEAR)


def _drink(seen: View, surface: Appearance, shade: Float32) -> Array:
    """The liquid: a body below its level, seen through the wall, and its surface."""
    shape, colour = seen.shape, np.asarray(surface.liquid, np.float32)
    level = float(shape.h[shape.fill])
    strength = 0.45 + 0.45 * (surface.seed % 7) / 6
    cover = np.zeros((POINTS, AZIMUTHS), np.float32)
    outer = np.arange(POINTS) <= shape.rim
    bottom = float(shape.h[-1]) if shape.fill >= POINTS else 0.06 * shape.height
    cover[outer & (shape.h < level) & (shape.h > bottom)] = strength
    flat = _sheet(shade, cover * 0, cover, colour, seen.front if seen.front is not None else seen.near)
    mask = np.zeros(seen.mask.shape, np.uint8)
    centre = (seen.ox, seen.oy - level * np.cos(seen.pitch) * seen.scale)
    radius = float(shape.r[shape.fill]) * seen.scale
    axes = (radius, radius * np.sin(seen.pitch))
    cv2.ellipse(mask, _fixed(centre), _fixed(axes), 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
    top = mask.astype(np.float32)[..., None] / 255 * min(1, strength + 0.15)
    surface_layer = np.concatenate([top * np.minimum(colour * 1.2 + 0.05, 1), top], 2)
    return np.asarray(flat * (1 - top) + surface_layer)


def _fixed(pair: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0] * 16), round(pair[1] * 16)


def _bend(seen: View) -> Float32:
    """Refraction: near its edges a glass squeezes the background towards its middle."""
    height, width = seen.mask.shape
    x = (np.arange(width, dtype=np.float32) - seen.ox) / seen.scale
    inside = seen.mask > 0
    half = inside.sum(1) / 2 / seen.scale
    # the fourth power of the position in the row: hardly any refraction in the middle, strong at the edges
    share = np.clip(x[None] / np.maximum(half, 0.1)[:, None], -1, 1)
    bend = np.zeros((height, width, 2), np.float32)
    bend[..., 0] = np.where(inside, -share * np.abs(share) ** 3 * half[:, None] * 0.9, 0)
    return bend
