"""Profiles of solids of revolution: cups, bowls and plates, and bottles, cans and fruit as clutter. Lengths in cm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgecnn.types import Float32

POINTS = 72  # of a profile: hollow objects use one half for the outside, one for the inside


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A profile curve: radius and height, (POINTS,) float32, from the foot up the outside, over the rim, down the inside.

    ``rim`` is the index of the rim's outer edge, ``fill`` that of the liquid's edge; both are POINTS where there is none.
    """

    r: Float32
    h: Float32
    rim: int
    fill: int

    @property
    def radius(self) -> float:
        """Largest radius in cm."""
        return float(self.r.max())

    @property
    def height(self) -> float:
        """Height in cm."""
        return float(self.h.max())


def _curve(corners: list[tuple[float, float]], n: int) -> Float32:
    """``n`` points along straight lines through ``corners``, evenly spaced; (n, 2) float32."""
    path = np.asarray(corners, np.float64)
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(path, axis=0).T))]
    at = np.linspace(0, length[-1], n)
    return np.stack([np.interp(at, length, path[:, axis]) for axis in (0, 1)], 1).astype(np.float32)


def _smooth(points: Float32, passes: int) -> Float32:
    for _ in range(passes):
        points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return points


def _join(outside: list[tuple[float, float]], inside: list[tuple[float, float]], smooth: int, fill: float | None) -> Profile:
    """A hollow object; a liquid up to the height ``fill`` replaces what lies under it."""
    half = POINTS // 2
    outer = _smooth(_curve(outside, half), smooth)
    inner = _smooth(_curve(inside, half), smooth)
    mark_ids = POINTS
    if fill is not None:
        below = int(np.argmax(inner[:, 1] < fill)) if (inner[:, 1] < fill).any() else half - 8
        below = min(below, half - 6)
        edge = inner[below - 1].copy()
        inner = np.concatenate(
            [_curve([(float(r), float(h)) for r, h in inner[:below]], half - 12), np.repeat(edge[None], 12, 0)]
        )
        # the last 12 points become the surface of the liquid: from the wall to the axis at one height
        inner[half - 12 :, 0] *= np.linspace(1, 0, 12, dtype=np.float32)
        mark_ids = half + half - 12
    path = np.concatenate([outer, inner])
    return Profile(path[:, 0].copy(), path[:, 1].copy(), half - 1, mark_ids)


def _hollow(outside: list[tuple[float, float]], wall: float, floor: float, smooth: int, fill: float | None) -> Profile:
    """The inside follows the outside at the distance ``wall``, down to ``floor``."""
    top_r, top_h = outside[-1]
    inside = [(top_r - wall, top_h)]
    inside += [(max(r - wall, 0.2), h) for r, h in reversed(outside[1:-1]) if h > floor + 0.1]
    outer = _curve(outside, 64)
    at_floor = float(np.interp(floor, np.maximum.accumulate(outer[:, 1]), outer[:, 0]))
    inside += [(max(at_floor - wall, 0.3), floor), (0.0, floor)]
    level = None if fill is None else floor + fill * (top_h - floor)
    return _join(outside, inside, smooth, level)


def _solid(outside: list[tuple[float, float]], smooth: int) -> Profile:
    path = _smooth(_curve(outside, POINTS), smooth)
    return Profile(path[:, 0].copy(), path[:, 1].copy(), POINTS, POINTS)


MUGS: tuple[list[tuple[float, float]], ...] = (
    [(3.7, 0), (4.0, 0.3), (4.0, 9.2)],
    [(3.0, 0), (3.4, 0.4), (4.3, 8.8)],
    [(2.6, 0), (3.9, 1.2), (4.5, 3.5), (4.4, 6.0), (4.2, 7.6)],
    [(3.6, 0), (4.4, 1.0), (4.5, 5.0), (3.9, 8.0), (4.1, 9.6)],
    [(2.4, 0), (2.6, 0.5), (4.2, 3.0), (4.9, 6.2)],
    [(4.2, 0), (4.4, 0.4), (3.7, 10.4)],
)
GLASSES: tuple[list[tuple[float, float]], ...] = (
    [(3.0, 0), (3.1, 0.2), (3.6, 11.5)],
    [(2.6, 0), (2.8, 0.2), (3.9, 14.0)],
    [(3.9, 0), (4.1, 0.3), (4.2, 8.6)],
    [(2.7, 0), (3.6, 2.0), (4.1, 5.5), (3.5, 10.0), (3.3, 11.0)],
    [(3.4, 0), (3.3, 0.3), (0.5, 0.9), (0.45, 7.4), (2.2, 8.4), (4.0, 11.0), (3.9, 14.0), (3.3, 17.0)],
    [(3.1, 0), (3.0, 0.3), (0.6, 0.8), (0.5, 4.5), (1.6, 6.0), (4.6, 12.0)],
)
BOWLS: tuple[list[tuple[float, float]], ...] = (
    [(3.2, 0), (3.4, 0.6), (6.0, 2.4), (7.4, 4.6), (7.9, 6.8)],
    [(4.0, 0), (4.1, 0.8), (7.6, 2.0), (9.4, 4.2), (9.8, 5.6)],
    [(3.0, 0), (3.1, 0.9), (4.8, 2.0), (5.8, 3.6), (6.1, 5.4)],
    [(4.6, 0), (4.8, 0.5), (8.0, 3.0), (10.8, 7.0)],
    [(5.0, 0), (6.6, 0.8), (7.2, 3.0), (7.0, 5.8)],
)
PLATES: tuple[list[tuple[float, float]], ...] = (
    [(6.4, 0), (6.6, 0.4), (9.4, 1.1), (13.0, 2.1)],
    [(5.2, 0), (5.4, 0.3), (7.4, 1.0), (10.2, 1.5)],
    [(8.6, 0), (9.2, 0.3), (11.6, 0.9), (12.2, 2.4)],
    [(3.8, 0), (4.0, 0.3), (5.6, 0.8), (7.6, 1.6)],
)
SOLIDS: dict[str, tuple[list[tuple[float, float]], int]] = {
    "can": ([(3.0, 0), (3.3, 0.4), (3.3, 11.4), (2.8, 12.1), (2.7, 12.2), (2.6, 11.9), (0, 11.9)], 0),
    "tin": ([(3.7, 0), (3.75, 0.2), (3.75, 4.6), (3.6, 4.7), (3.5, 4.5), (0, 4.5)], 0),
    "orange": ([(0.6, 0), (2.6, 0.8), (3.7, 2.6), (3.75, 4.0), (2.9, 6.1), (1.2, 7.0), (0, 7.1)], 5),
    "apple": ([(1.2, 0), (2.8, 0.8), (3.8, 3.0), (3.9, 4.6), (3.0, 6.6), (1.4, 7.2), (0.5, 6.9), (0, 6.3)], 3),
    "bottle": (
        [(3.3, 0), (3.5, 0.3), (3.5, 12.0), (2.6, 15.0), (1.4, 17.0), (1.4, 21.0), (1.6, 21.1), (1.6, 23.0), (0, 23.0)],
        1,
    ),
    "jar": ([(3.8, 0), (4.1, 0.4), (4.1, 7.6), (3.5, 8.6), (3.8, 8.7), (3.8, 10.4), (3.6, 10.6), (0, 10.6)], 0),
    "candle": ([(3.2, 0), (3.3, 0.2), (3.3, 7.5), (3.0, 7.7), (2.6, 7.3), (0, 7.1)], 0),
    "coaster": ([(4.8, 0), (4.9, 0.1), (4.9, 0.5), (4.8, 0.6), (0, 0.6)], 0),
    "lid": ([(7.6, 0), (7.8, 0.2), (7.8, 0.7), (7.4, 1.0), (1.1, 1.9), (1.0, 2.4), (1.7, 3.3), (1.5, 3.7), (0, 3.8)], 1),
}


@lru_cache(maxsize=256)
def profile(kind: str, variant: int, fill: float | None) -> Profile:
    """The profile of ``kind``: variant modulo the number of variants, filled to the fraction ``fill`` of its depth, or empty."""
    if kind == "mug":
        return _hollow(MUGS[variant % len(MUGS)], 0.45, 0.6, 1, fill)
    if kind == "glass":
        shape = GLASSES[variant % len(GLASSES)]
        return _hollow(shape, 0.22, 0.8 if len(shape) < 6 else shape[4][1] - 0.3, 1, fill)
    if kind == "bowl":
        return _hollow(BOWLS[variant % len(BOWLS)], 0.45, 0.9, 2, fill)
    if kind == "plate":
        return _hollow(PLATES[variant % len(PLATES)], 0.35, 0.5, 1, None)
    corners, smooth = SOLIDS[kind]
    return _solid(corners, smooth)
