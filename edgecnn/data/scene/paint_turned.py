"""Paints turned things: bodies with glaze and highlights, handles, and glass that one sees through."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.data.scene.camera import Real
from edgecnn.data.scene.canvas import Sprite, premultiply
from edgecnn.data.scene.light import Light, normals, shading
from edgecnn.data.scene.looks import Look, albedo
from edgecnn.data.scene.profiles import POINTS, Profile
from edgecnn.data.scene.revolve import AZIMUTHS, View, wrap
from edgecnn.types import Array, Float32, Image

HANDLE_POINTS = 24


def body(seen: View, surface: Look, lamp: Light, towards: Real, yaw: float) -> tuple[Image, Image]:
    """Colour (h, w, 3) and outline (h, w) of an opaque turned thing, turned by ``yaw`` radians."""
    shade, bright = shading(seen.shape, seen.pitch, lamp, towards, surface.gloss)
    colour = _turn(albedo(seen.shape, surface), yaw)
    texture = np.clip((colour * shade[..., None] + bright[..., None]) * 255, 0, 255).astype(np.uint8)
    return cv2.remap(wrap(texture), *seen.near, cv2.INTER_LINEAR), seen.mask


def _turn(texture: Float32, yaw: float) -> Float32:
    columns = yaw / (2 * np.pi) * AZIMUTHS
    whole = int(np.floor(columns))
    share = np.float32(columns - whole)
    return np.roll(texture, whole, 1) * (1 - share) + np.roll(texture, whole + 1, 1) * share


def handle_path(shape: Profile, style: int) -> Float32:
    """The middle of a handle in the plane through the axis: (HANDLE_POINTS, 2) radius and height in cm."""
    top, bottom = shape.height * (0.86 if style % 2 else 0.8), shape.height * (0.2 + 0.07 * (style % 3))
    reach = shape.radius * (0.55 + 0.08 * (style % 4))
    t = np.linspace(0, np.pi, HANDLE_POINTS)
    ear = np.sin(t) ** (0.55 if style % 3 else 0.8)
    h = (top + bottom) / 2 + (top - bottom) / 2 * np.cos(t) - 0.06 * shape.height * np.sin(t) * (style % 2)
    wall = np.interp(h, shape.h[: shape.rim], shape.r[: shape.rim])
    return np.stack([wall - 0.2 + reach * ear, h], 1).astype(np.float32)


def handle_points(seen: View, path: Float32, azimuth: float) -> Float32:
    """(n, 2) pixels of the view: where the handle's middle is drawn when it points to ``azimuth``."""
    r, h = path.T
    x = r * np.cos(azimuth)
    y = -h * np.cos(seen.pitch) + r * np.sin(azimuth) * np.sin(seen.pitch)
    return np.stack([seen.ox + x * seen.scale, seen.oy + y * seen.scale], 1).astype(np.float32)


def add_handle(
    colour: Image, outline: Image, seen: View, surface: Look, lamp: Light, towards: Real, azimuth: float
) -> tuple[Image, Image]:
    """The body with its handle: behind the body where it points away from the camera, before it otherwise."""
    style = surface.seed % 12
    points = handle_points(seen, handle_path(seen.shape, style), azimuth)
    strap = 0.55 + 0.3 * abs(np.sin(azimuth)) + 0.02 * style
    thick = max(1.0, strap * seen.shape.radius / 4 * seen.scale * 1.5)
    mask = np.zeros_like(outline)
    line = [np.round(points * 16).astype(np.int32)]
    cv2.polylines(mask, line, False, 255, max(1, round(thick)), cv2.LINE_AA, 4)
    painted = _tube(colour.shape, points, thick, surface, lamp, towards, azimuth)
    if np.sin(azimuth) > 0:
        joined = cv2.bitwise_or(mask, outline)
        return _over(colour, painted, mask), joined
    return _over(painted, colour, outline), cv2.bitwise_or(mask, outline)


def _tube(
    shape: tuple[int, ...], points: Float32, thick: float, surface: Look, lamp: Light, towards: Real, azimuth: float
) -> Image:
    """A rounded strap: nested strokes from its dark edge to a highlight on the side of the lamp."""
    painted = np.empty(shape, np.uint8)
    lit = 0.5 * lamp.ambient + 0.75 * max(
        0.15, 0.5 + 0.5 * float(np.cos(azimuth) * (lamp.direction[:2] @ [-towards[1], towards[0]]))
    )
    base = np.asarray(surface.outside) * 255
    painted[:] = np.clip(base * lit * 0.62, 0, 255)
    up = np.array([0.0, -0.16 * thick], np.float32)
    for share, level, raised in ((0.72, 0.9, 0.4), (0.45, 1.12, 0.8), (0.16, 1.12 + 0.5 * surface.gloss, 1.3)):
        line = [np.round((points + up * raised) * 16).astype(np.int32)]
        tone = np.clip(base * lit * level + (70 * surface.gloss if share < 0.2 else 0), 0, 255)
        cv2.polylines(painted, line, False, tone.tolist(), max(1, round(thick * share)), cv2.LINE_AA, 4)
    return painted


def _over(under: Image, over: Image, mask: Image) -> Image:
    weight = mask.astype(np.float32) / 255
    return cv2.blendLinear(np.ascontiguousarray(over), np.ascontiguousarray(under), weight, 1 - weight)


def solid(seen: View, surface: Look, lamp: Light, towards: Real, yaw: float, handle: bool) -> Sprite:
    """An opaque turned thing, with a handle if asked for."""
    colour, outline = body(seen, surface, lamp, towards, yaw)
    if handle:
        colour, outline = add_handle(colour, outline, seen, surface, lamp, towards, yaw)
    area = float((outline > 127).sum()) / seen.scale**2
    return Sprite(premultiply(colour, outline), outline, seen.ox, seen.oy, seen.scale, area)


def clear(seen: View, surface: Look, lamp: Light, towards: Real) -> Sprite:
    """A drinking glass: far wall, liquid and near wall over a bent background."""
    assert seen.front is not None and seen.far is not None
    shape = seen.shape
    shade, bright = shading(shape, seen.pitch, lamp, towards, 1.0)
    tinted = np.asarray(surface.accent if surface.seed % 5 == 0 else (0.93, 0.95, 0.92), np.float32)
    edge = _grazing(shape, seen.pitch)
    far = _sheet(shade, bright * 0.6, 0.04 + 0.30 * edge**2, tinted * 0.9, seen.far)
    cover = 0.05 + 0.55 * edge**3 + (0.18 if surface.seed % 5 == 0 else 0.0)
    near = _sheet(shade, bright * 1.15, _with_rim(shape, cover), tinted, seen.front)
    layers = [far]
    if shape.fill < POINTS:
        layers.append(_drink(seen, surface, shade))
    result = np.zeros((*seen.mask.shape, 4), np.float32)
    for layer in (*layers, near):
        result = result * (1 - layer[..., 3:]) + layer
    inside = (seen.mask > 0)[..., None]
    pixels = np.clip(np.where(inside, result, 0) * 255, 0, 255).astype(np.uint8)
    area = float((seen.mask > 127).sum()) / seen.scale**2
    return Sprite(pixels, seen.mask, seen.ox, seen.oy, seen.scale, area, _bend(seen))


def _grazing(shape: Profile, pitch: float) -> Float32:
    """0 where one looks straight at the wall, 1 where one looks along it; (POINTS, AZIMUTHS)."""
    azimuth = np.arange(AZIMUTHS, dtype=np.float32) * np.float32(2 * np.pi / AZIMUTHS)
    nr, nh = (part[:, None] for part in normals(shape))
    facing = np.abs(nr * np.sin(azimuth)[None] * np.cos(pitch) + nh * np.sin(pitch))
    return np.asarray(1 - np.clip(facing, 0, 1), np.float32)


def _with_rim(shape: Profile, cover: Float32) -> Float32:
    """The rim and the thick bottom cover more."""
    extra = np.zeros(POINTS, np.float32)
    extra[max(shape.rim - 1, 0) : shape.rim + 1] = 0.55
    low = shape.h[: shape.rim] < 0.08 * shape.height
    extra[: shape.rim][low] = 0.22
    return np.clip(cover + extra[:, None], 0, 0.95)


def _sheet(shade: Float32, bright: Float32, cover: Float32, colour: Float32, maps: tuple[Array, Array]) -> Float32:
    """One wall as premultiplied BGRA float (h, w, 4)."""
    alpha = np.clip(cover + bright, 0, 1)
    light = colour * (0.55 + 0.45 * shade[..., None]) * cover[..., None] + bright[..., None]
    texture = np.concatenate([np.minimum(light, alpha[..., None]), alpha[..., None]], 2).astype(np.float32)
    return cv2.remap(wrap(texture), *maps, cv2.INTER_LINEAR)


def _drink(seen: View, surface: Look, shade: Float32) -> Float32:
    """The liquid: a body below its level, seen through the wall, and its surface."""
    shape, colour = seen.shape, np.asarray(surface.liquid, np.float32)
    level = float(shape.h[shape.fill])
    strength = 0.35 + 0.5 * (surface.seed % 7) / 6
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
    return flat * (1 - top) + surface_layer


def _fixed(pair: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0] * 16), round(pair[1] * 16)


def _bend(seen: View) -> Float32:
    """A glass squeezes what is behind it towards its middle near the edges."""
    height, width = seen.mask.shape
    x = (np.arange(width, dtype=np.float32) - seen.ox) / seen.scale
    inside = seen.mask > 0
    half = inside.sum(1) / 2 / seen.scale
    share = np.clip(x[None] / np.maximum(half, 0.1)[:, None], -1, 1)
    bend = np.zeros((height, width, 2), np.float32)
    bend[..., 0] = np.where(inside, -share * np.abs(share) ** 3 * half[:, None] * 0.9, 0)
    return bend
