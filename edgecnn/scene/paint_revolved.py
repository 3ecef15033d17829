"""Paints opaque solids of revolution: bodies with glaze and highlights, and the handles of mugs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from edgecnn.scene.appearance import Appearance, albedo
from edgecnn.scene.camera import Float64
from edgecnn.scene.canvas import Sprite, cropped
from edgecnn.scene.light import Light, shading
from edgecnn.scene.profiles import Profile
from edgecnn.scene.revolve import AZIMUTHS, View, wrap
from edgecnn.types import Array, Float32, Image

HANDLE_POINTS = 24
HANDLE = 254  # in the images of ``profile_points``


@dataclass(frozen=True, slots=True, eq=False)
class RevolvedBody:
    """An opaque solid of revolution, prepared for painting at any yaw: view, appearance, shading, centre line of its handle."""

    seen: View
    appearance: Appearance
    lamp: Light
    towards: Float64
    colour: Float32
    shade: Float32
    bright: Float32
    handle: Float32 | None

    def sprite(self, yaw: float) -> Sprite:
        """The sprite at a rotation of ``yaw`` radians; a handle points to the right at 0 and to the camera at pi / 2."""
        # only the albedo turns with the object: lamp and camera stay, and with them shading and highlights
        texture = _turn(self.colour, yaw) * self.shade[..., None] + self.bright[..., None]
        levels = wrap(cv2.convertScaleAbs(np.maximum(texture, 0), alpha=255))
        if self.handle is None:
            return cropped(self._body(levels, self.seen), self.seen.mask, (self.seen.ox, self.seen.oy, self.seen.scale))
        thick = self._thickness(yaw)
        seen, points = _around(self.seen, _handle_points(self.seen, self.handle, yaw), thick)
        colour, outline = self._with_handle(self._body(levels, seen), seen.mask, points, thick, yaw)
        sprite = cropped(colour, outline, (seen.ox, seen.oy, seen.scale))
        shown = points if np.sin(yaw) > 0 else _outside(points, seen.mask)
        return replace(sprite, handle=shown + np.array([sprite.ox - seen.ox, sprite.oy - seen.oy], np.float32), thick=thick)

    def profile_points(self, yaw: float) -> tuple[Image, float, float]:
        """What each pixel of ``sprite(yaw)`` shows, (h, w) uint8: the index of the profile point + 1, or HANDLE; 0 outside.

        With it the foot's pixel (x, y); the image may be larger than the sprite.
        """
        if self.handle is None:
            return points_shown(self.seen), self.seen.ox, self.seen.oy
        thick = self._thickness(yaw)
        seen, line = _around(self.seen, _handle_points(self.seen, self.handle, yaw), thick)
        shown = points_shown(seen)
        before = np.sin(yaw) > 0
        shown[(_handle_mask(seen.mask, line, thick) > 127) & (before | (seen.mask == 0))] = HANDLE
        return shown, seen.ox, seen.oy

    def _body(self, texture: Array, seen: View) -> Array:
        return cv2.GaussianBlur(cv2.remap(texture, *seen.near, cv2.INTER_LINEAR), (3, 3), 0)

    def _thickness(self, azimuth: float) -> float:
        """Apparent thickness of the handle in pixels: a strap is wider seen from the front."""
        strap = (0.75 + 0.35 * abs(float(np.sin(azimuth))) + 0.03 * (self.appearance.seed % 12)) * self.seen.shape.radius / 4
        return max(1.0, strap * 1.05 * self.seen.scale)

    def _with_handle(self, body: Array, outline: Image, points: Float32, thick: float, azimuth: float) -> tuple[Array, Array]:
        """Draw the handle behind the body if it points away from the camera, else in front of it with a soft shadow."""
        mask = _handle_mask(outline, points, thick)
        joined = cv2.bitwise_or(mask, outline)
        if np.sin(azimuth) <= 0:
            return cv2.copyTo(body, outline, self._tube(body.shape, points, thick, azimuth)), joined
        low = np.maximum(points.min(0) - 2 * thick - 6, 0).astype(np.int32)
        high = (points.max(0) + 2 * thick + 6).astype(np.int32)
        part = body[low[1] : high[1], low[0] : high[0]]
        cover = np.ascontiguousarray(mask[low[1] : high[1], low[0] : high[0]])
        shadow = cv2.blur(cover, (2 * int(thick) + 1,) * 2) // 3
        darker = cv2.multiply(part, cv2.cvtColor(255 - shadow, cv2.COLOR_GRAY2BGR), scale=1 / 255)
        part[:] = _over(darker, self._tube(part.shape, points - low.astype(np.float32), thick, azimuth), cover)
        return body, joined

    def _tube(self, shape: tuple[int, ...], points: Float32, thick: float, azimuth: float) -> Array:
        """A rounded strap: nested strokes from its dark edge to a highlight on top."""
        sideways = float(np.cos(azimuth) * (self.lamp.direction[:2] @ [-self.towards[1], self.towards[0]]))
        lit = 0.5 * self.lamp.ambient + 0.75 * max(0.15, 0.5 + 0.5 * sideways)
        base, gloss = np.asarray(self.appearance.outside) * 255, self.appearance.gloss
        painted = np.empty(shape, np.uint8)
        edge = np.clip(base * lit * 0.62, 0, 255).astype(np.uint8)
        cv2.rectangle(painted, (0, 0), (shape[1], shape[0]), edge.tolist(), -1)
        for share, level, raised in ((0.72, 0.9, 0.4), (0.45, 1.12, 0.8), (0.16, 1.12 + 0.5 * gloss, 1.3)):
            line = [_fixed_line(points - np.array([0, 0.16 * thick * raised], np.float32))]
            tone = np.clip(base * lit * level + (70 * gloss if share < 0.2 else 0), 0, 255)
            cv2.polylines(painted, line, False, tone.tolist(), max(1, round(thick * share)), cv2.LINE_AA, 4)
        return painted


def revolved_body(seen: View, appearance: Appearance, lamp: Light, towards: Float64, handle: bool) -> RevolvedBody:
    """The parts of an opaque solid of revolution that do not depend on its yaw; ``towards`` points to the camera, horizontally."""
    shade, bright = shading(seen.shape, seen.pitch, lamp, towards, appearance.gloss)
    path = handle_path(seen.shape, appearance.seed % 12) if handle else None
    return RevolvedBody(seen, appearance, lamp, towards, albedo(seen.shape, appearance), shade, bright, path)


def points_shown(seen: View) -> Image:
    """The index of the profile point + 1 that each pixel of a view shows, (h, w) uint8; 0 outside of the silhouette."""
    rows = seen.near[0][..., 1].astype(np.int32) + 1
    return np.where(seen.mask > 0, rows, 0).astype(np.uint8)


def _handle_mask(outline: Image, points: Float32, thick: float) -> Image:
    mask = np.zeros_like(outline)
    cv2.polylines(mask, [_fixed_line(points)], False, 255, max(1, round(thick)), cv2.LINE_AA, 4)
    return mask


def _turn(texture: Float32, yaw: float) -> Float32:
    columns = yaw / (2 * np.pi) * AZIMUTHS
    whole = int(np.floor(columns))
    # linear interpolation between two columns: a slow turn does not jump by whole columns
    share = float(columns - whole)
    return np.asarray(cv2.addWeighted(np.roll(texture, whole, 1), 1 - share, np.roll(texture, whole + 1, 1), share, 0))


def _around(seen: View, points: Float32, thick: float) -> tuple[View, Float32]:
    """The part of a view that the body and a handle through ``points`` take up, and the points in it."""
    x, y, w, h = cv2.boundingRect(seen.mask)
    low, high = points.min(0) - thick, points.max(0) + thick
    pad = int(thick) + 6
    x0, y0 = max(0, min(x, int(low[0])) - pad), max(0, min(y, int(low[1])) - pad)
    x1, y1 = max(x + w, int(high[0])) + pad, max(y + h, int(high[1])) + pad
    near = tuple(np.ascontiguousarray(part[y0:y1, x0:x1]) for part in seen.near)
    mask = np.ascontiguousarray(seen.mask[y0:y1, x0:x1])
    part = replace(seen, ox=seen.ox - x0, oy=seen.oy - y0, near=(near[0], near[1]), mask=mask)
    return part, points - np.array([x0, y0], np.float32)


def _outside(points: Float32, mask: Image) -> Float32:
    x, y = np.round(points).astype(np.int64).T
    height, width = mask.shape
    return np.asarray(points[mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] == 0])


def _fixed_line(points: Float32) -> Array:
    return np.round(points * 16).astype(np.int32)


def handle_path(shape: Profile, style: int) -> Float32:
    """Centre line of a handle in a plane through the axis: (HANDLE_POINTS, 2) radius and height in cm."""
    top, bottom = shape.height * (0.86 if style % 2 else 0.8), shape.height * (0.2 + 0.07 * (style % 3))
    reach = shape.radius * (0.55 + 0.08 * (style % 4))
    t = np.linspace(0, np.pi, HANDLE_POINTS)
    # an exponent below 1 makes the half circle squarer
    ear = np.sin(t) ** (0.55 if style % 3 else 0.8)
    h = (top + bottom) / 2 + (top - bottom) / 2 * np.cos(t) - 0.06 * shape.height * np.sin(t) * (style % 2)
    wall = np.interp(h, shape.h[: shape.rim], shape.r[: shape.rim])
    return np.stack([wall - 0.2 + reach * ear, h], 1).astype(np.float32)


def _handle_points(seen: View, path: Float32, azimuth: float) -> Float32:
    """Pixels (n, 2) of the handle's centre line in the view when the handle points to ``azimuth``."""
    r, h = path.T
    x = r * np.cos(azimuth)
    y = -h * np.cos(seen.pitch) + r * np.sin(azimuth) * np.sin(seen.pitch)
    return np.stack([seen.ox + x * seen.scale, seen.oy + y * seen.scale], 1).astype(np.float32)


def _over(under: Array, over: Array, mask: Array) -> Array:
    weight = mask.astype(np.float32) / 255
    return cv2.blendLinear(over, under, weight, 1 - weight)
