"""Renders the table top (wood, cloth, marble, plain) and the wall behind it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.scene.camera import Float64, PinholeCamera
from edgecnn.scene.materials import PALETTES, SIDE, grain
from edgecnn.types import Array, Image

WALL = (480, 160)  # pixels of the image of the wall


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A table: its pattern (2 * SIDE, 2 * SIDE) uint8, and the colours (BGR, 0..255) of the darkest and lightest parts.

    ``scale`` is pixels of the grain per cm, ``turn`` and ``centre`` (x, y in cm) place it, ``edge`` is the far edge's y, ``room``
    the colours of the wall behind it, ``material`` the name of the pattern in PALETTES.
    """

    grain: Image
    dark: Float64
    light: Float64
    scale: float
    turn: float
    centre: tuple[float, float]
    edge: float
    room: Image
    material: str = ""


def sample_ground(rng: np.random.Generator) -> Ground:
    """A random table for one cut."""
    kind = str(rng.choice(list(PALETTES), p=[0.22, 0.14, 0.12, 0.14, 0.1, 0.08, 0.12, 0.08]))
    dark, light = PALETTES[kind][rng.integers(len(PALETTES[kind]))]
    vary = np.clip(rng.normal(1, 0.08, 3), 0.7, 1.25) * 255
    tile = grain(kind, int(rng.integers(4)))
    down, right = (int(v) for v in rng.integers(0, SIDE, 2))
    # mirrored instead of tiled: no visible seams; (down, right) shifts the pattern at random
    border = (SIDE - down, down, SIDE - right, right)
    room = rng.uniform(0.08, 0.75, (5, 22, 1)) + rng.normal(0, 0.07, (5, 22, 3))
    return Ground(
        grain=np.asarray(cv2.copyMakeBorder(tile, *border, cv2.BORDER_REFLECT_101), np.uint8),
        dark=np.asarray(dark) * vary,
        light=np.asarray(light) * vary,
        scale=float(rng.uniform(7.0, 11)),
        turn=float(rng.choice([rng.uniform(0, 2 * np.pi), rng.normal(0, 0.1)])),
        centre=(float(rng.uniform(-15, 15)), float(rng.uniform(-10, 25))),
        edge=float(rng.uniform(28, 75)) if rng.random() < 0.5 else float(rng.uniform(90, 160)),
        room=np.clip(room * 255, 0, 255).astype(np.uint8),
        material=kind,
    )


def lay(table: Ground, camera: PinholeCamera, size: tuple[int, int]) -> Image:
    """The image of the bare table with the room behind it, (H, W, 3) uint8."""
    c, s = np.cos(table.turn) * table.scale, np.sin(table.turn) * table.scale
    x, y = table.centre
    # from cm on the table to pixels of the grain: rotation by ``turn``, and ``centre`` at the middle (SIDE, SIDE)
    place = np.array([[c, -s, SIDE - c * x + s * y], [s, c, SIDE - s * x - c * y], [0, 0, 1]])
    to_image = camera.homography() @ np.linalg.inv(place)
    # warping with a reflected border is much slower than with a constant one
    mode = cv2.BORDER_CONSTANT if _covers(table, camera, to_image, size) else cv2.BORDER_REFLECT_101
    grey = cv2.warpPerspective(table.grain, to_image, size, flags=cv2.INTER_LINEAR, borderMode=mode)
    # the grain 0..255 is mapped linearly from the dark to the light colour, in each channel
    slope = (table.light - table.dark) / 255
    image = cv2.merge([cv2.convertScaleAbs(grey, alpha=slope[k], beta=table.dark[k]) for k in range(3)])
    _hang(image, table, camera)
    return np.asarray(image, np.uint8)


def _corners(x0: float, y0: float, x1: float, y1: float) -> Float64:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def _rays(camera: PinholeCamera, pixels: Float64) -> Float64:
    """Viewing directions (n, 3) of ``pixels`` (n, 2) in world coordinates, not normalized."""
    return np.column_stack([(pixels - camera.centre) / camera.focal, np.ones(len(pixels))]) @ camera.axes


def _covers(table: Ground, camera: PinholeCamera, to_image: Float64, size: tuple[int, int]) -> bool:
    """Whether the pattern covers the whole visible table; if not, it is mirrored at its borders, which is slower."""
    corners = _corners(0, 0, *size)
    rays = _rays(camera, corners)
    beyond = _beyond(table.edge, rays, camera)
    shown = np.concatenate([corners[~beyond], _edge_points(table.edge, camera, size)])
    if (beyond.any() and rays[:, 1].min() < 0.05) or not len(shown):
        return False
    at = cv2.perspectiveTransform(shown[None], np.linalg.inv(to_image))[0]
    return bool(at.min() > 1 and at.max() < 2 * SIDE - 2)


def _hang(image: Array, table: Ground, camera: PinholeCamera) -> None:
    """Paint the wall behind the table's far edge, if it is visible."""
    place = _wall_place(table, camera, (image.shape[1], image.shape[0]))
    if place is None:
        return
    (x0, y0, x1, y1), to_image = place
    cv2.warpPerspective(
        cv2.resize(table.room, WALL, interpolation=cv2.INTER_CUBIC),
        to_image,
        (x1 - x0, y1 - y0),
        dst=image[y0:y1, x0:x1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def wall_mask(table: Ground, camera: PinholeCamera, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where ``lay`` shows the wall, (H, W) bool."""
    mask = np.zeros(size[::-1], np.bool_)
    place = _wall_place(table, camera, size)
    if place is not None:
        (x0, y0, x1, y1), to_image = place
        whole = np.full(WALL[::-1], 255, np.uint8)
        mask[y0:y1, x0:x1] = cv2.warpPerspective(whole, to_image, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR) > 127
    return mask


def _wall_place(table: Ground, camera: PinholeCamera, size: tuple[int, int]) -> tuple[tuple[int, int, int, int], Float64] | None:
    """The part (x0, y0, x1, y1) of the image that can show the wall, and the homography to it from an image of WALL pixels."""
    width, height = size
    rays = _rays(camera, _corners(0, 0, width, height))
    if not _beyond(table.edge, rays, camera).any():
        return None
    x0, y0, x1, y1 = _above(table.edge, rays, camera, size)
    if x1 <= x0 or y1 <= y0 or _rays(camera, _corners(x0, y0, x1, y1))[:, 1].min() < 0.02:
        return None
    half, tall = 3 * table.edge + 300, 2 * table.edge + 200
    # a homography from the pixels of the wall image to the cropped image: K R [a b c], like that of the table
    lens = np.array([[camera.focal, 0, camera.centre[0] - x0], [0, camera.focal, camera.centre[1] - y0], [0, 0, 1]])
    foot = np.array([-half, table.edge, tall]) - camera.position
    across = np.array([[2 * half / WALL[0], 0, foot[0]], [0, 0, foot[1]], [0, -tall / WALL[1], foot[2]]])
    return (x0, y0, x1, y1), np.asarray(lens @ camera.axes @ across)


def _above(edge: float, rays: Float64, camera: PinholeCamera, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) of the image that can show what is beyond the table's edge."""
    width, height = size
    shown = _edge_points(edge, camera, size)
    if len(shown) < 2:
        return 0, 0, width, height
    points = np.concatenate([_corners(0, 0, width, height)[_beyond(edge, rays, camera)], shown])
    low, high = np.floor(points.min(0)) - 2, np.ceil(points.max(0)) + 2
    return max(int(low[0]), 0), max(int(low[1]), 0), min(int(high[0]), width), min(int(high[1]), height)


def _beyond(edge: float, rays: Float64, camera: PinholeCamera) -> Array:
    """Whether each ray passes over the table's far edge, (n,) bool."""
    reach = camera.position[1] + rays[:, 1] * (camera.position[2] / np.maximum(-rays[:, 2], 1e-3))
    return np.asarray((rays[:, 2] >= -1e-3) | (reach > edge))


def _edge_points(edge: float, camera: PinholeCamera, size: tuple[int, int]) -> Float64:
    """Pixels (n, 2) of the table's far edge in the image, including its intersections with the image border."""
    line = camera.project(np.array([[-0.06, edge, 0.0], [0.06, edge, 0.0]]))
    bounds = ((0, 0.0), (0, float(size[0])), (1, 0.0), (1, float(size[1])))
    points = np.concatenate([line, [_cross(line, axis, bound) for axis, bound in bounds]])
    return np.asarray(points[((points >= -1) & (points <= np.array(size) + 1)).all(1)])


def _cross(line: Float64, axis: int, bound: float) -> Float64:
    """The point where the straight line through two points has the coordinate ``bound`` on ``axis``."""
    a, b = line
    gap = b[axis] - a[axis]
    return np.asarray(a + (b - a) * ((bound - a[axis]) / gap if abs(gap) > 1e-6 else 1e9))
