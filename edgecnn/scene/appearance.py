"""Colours and patterns on the surface of a solid of revolution: glaze, decoration, liquid. Colours are BGR, 0..1."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from edgecnn.scene.profiles import POINTS, Profile
from edgecnn.scene.revolve import AZIMUTHS
from edgecnn.types import Array, Float32

Colour = tuple[float, float, float]

GLAZES: tuple[Colour, ...] = (
    (0.93, 0.95, 0.96), (0.86, 0.90, 0.93), (0.75, 0.84, 0.90), (0.20, 0.20, 0.22), (0.45, 0.25, 0.12), (0.62, 0.42, 0.20),
    (0.22, 0.22, 0.72), (0.15, 0.45, 0.82), (0.20, 0.72, 0.88), (0.30, 0.55, 0.25), (0.45, 0.62, 0.42), (0.55, 0.50, 0.20),
    (0.72, 0.60, 0.80), (0.50, 0.55, 0.58), (0.25, 0.38, 0.55), (0.80, 0.78, 0.55),
)  # fmt: skip
LIQUIDS: tuple[Colour, ...] = (
    (0.05, 0.09, 0.16), (0.30, 0.48, 0.66), (0.10, 0.35, 0.68), (0.86, 0.90, 0.92), (0.12, 0.42, 0.80), (0.18, 0.25, 0.62),
    (0.30, 0.62, 0.72), (0.14, 0.50, 0.36),
)  # fmt: skip
FOODS: tuple[Colour, ...] = (
    (0.14, 0.32, 0.55), (0.22, 0.55, 0.82), (0.16, 0.50, 0.30), (0.14, 0.22, 0.66), (0.10, 0.17, 0.30), (0.55, 0.75, 0.86),
)  # fmt: skip
CAPS: tuple[Colour, ...] = ((0.70, 0.71, 0.72), (0.62, 0.66, 0.68), (0.20, 0.20, 0.22), (0.25, 0.60, 0.78))
# colours, patterns and gloss of the kinds that are not tableware
NATURAL: dict[str, tuple[tuple[Colour, ...], tuple[str, ...], float]] = {
    "orange": (((0.10, 0.50, 0.92), (0.15, 0.75, 0.90)), ("plain",), 0.3),
    "apple": (((0.16, 0.16, 0.70), (0.25, 0.62, 0.52), (0.20, 0.60, 0.82)), ("plain", "speckle"), 0.6),
    "bottle": (((0.14, 0.26, 0.12), (0.08, 0.14, 0.26), (0.12, 0.12, 0.13), (0.60, 0.62, 0.55)), ("plain", "badge"), 1.0),
    "candle": (((0.80, 0.90, 0.93), (0.25, 0.22, 0.62), (0.35, 0.45, 0.35)), ("plain",), 0.15),
    "can": (GLAZES, ("bands", "badge", "dip", "stripes", "plain"), 0.9),
    "tin": (GLAZES, ("bands", "badge", "plain"), 0.9),
    "jar": (GLAZES, ("badge", "plain", "bands"), 0.9),
}
# drawn uniformly: listing "plain" twice makes it twice as frequent
PATTERNS = ("plain", "plain", "bands", "stripes", "dots", "checks", "dip", "badge", "speckle")


@dataclass(frozen=True, slots=True)
class Appearance:
    """Colours of an object: outside, inside, accent, liquid, the pattern's name, gloss 0..1, and a seed for details.

    ``cap`` is the colour of the topmost part of a solid object (a can's lid, a bottle's cap) where it has another.
    """

    outside: Colour
    inside: Colour
    accent: Colour
    liquid: Colour
    pattern: str
    gloss: float
    seed: int
    cap: Colour | None = None


def sample_appearance(rng: np.random.Generator, kind: str) -> Appearance:
    """A random appearance that suits ``kind``."""
    glaze = _pick(rng, GLAZES)
    usual = Appearance(
        outside=glaze,
        inside=glaze if rng.random() < 0.45 else _pick(rng, GLAZES[:3]),
        accent=_pick(rng, GLAZES),
        liquid=_pick(rng, LIQUIDS),
        pattern=str(rng.choice(PATTERNS)),
        gloss=float(rng.uniform(0.1, 1.0)),
        seed=int(rng.integers(1 << 31)),
    )
    meal, draw, capped = _pick(rng, FOODS), rng.random(), _pick(rng, CAPS)
    if kind in NATURAL:
        colours, patterns, gloss = NATURAL[kind]
        pattern = patterns[int(draw * len(patterns))]
        cap = capped if kind in ("can", "tin", "jar", "bottle") else None
        return replace(usual, outside=_pick(rng, colours), accent=_pick(rng, GLAZES[:3]), pattern=pattern, gloss=gloss, cap=cap)
    if kind in ("plate", "bowl") and draw < 0.3:
        return replace(usual, accent=meal, pattern="food")
    if kind == "plate" and usual.pattern == "badge":
        return replace(usual, pattern="bands")
    return usual


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    b, g, r = np.clip(
        np.asarray(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.08) + rng.normal(0, 0.025, 3), 0.03, 1
    )
    return float(b), float(g), float(r)


def albedo(shape: Profile, surface: Appearance) -> Float32:
    """Surface colours without lighting, (POINTS, AZIMUTHS, 3) float32: rows follow the profile, columns the azimuth."""
    rim = min(shape.rim, POINTS)
    colour = np.empty((POINTS, AZIMUTHS, 3), np.float32)
    colour[:rim] = surface.outside
    colour[rim:] = surface.inside
    rng = np.random.default_rng(surface.seed)
    _paint(colour[decorated(shape, surface)], surface.pattern, np.asarray(surface.accent, np.float32), rng)
    if surface.cap is not None:
        colour[shape.h > 0.93 * shape.height] = surface.cap
    if shape.fill < POINTS:
        colour[shape.fill :] = surface.liquid
        # the first row of the liquid is its edge at the wall: a brighter line, as of a meniscus
        colour[shape.fill] = np.asarray(surface.liquid) * 1.25 + 0.03
    return colour


def decorated(shape: Profile, surface: Appearance) -> slice:
    """The profile points that have the pattern of the surface."""
    rim = min(shape.rim, POINTS)
    # plates and shallow bowls are decorated on the inside, which is what the camera sees of them
    flat = shape.height < 0.5 * shape.radius
    inner = rim < POINTS and (flat or surface.pattern == "food")
    return slice(rim + 2, None) if inner else slice(2, max(rim - 1, 3))


def _paint(area: Float32, pattern: str, accent: Float32, rng: np.random.Generator) -> None:
    rows, columns = area.shape[:2]
    v = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    u = np.linspace(0, 2 * np.pi, columns, endpoint=False, dtype=np.float32)[None]
    # u is the azimuth 0..2 pi, v the position along the profile 0..1; whole counts make patterns continuous at u = 0
    count, at = int(rng.integers(3, 11)), float(rng.uniform(0.15, 0.85))
    weight = np.broadcast_to(WEIGHTS[pattern](u, v, count, at, rng), (rows, columns))
    if pattern == "food":
        lumps = cv2.GaussianBlur(rng.random((rows, columns), np.float32), (0, 0), 1.2)
        accent = accent * (0.3 + 1.4 * lumps)[..., None]
    area[:] = area + weight[..., None] * (accent - area)


def _none(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return np.zeros((1, 1), np.float32)


def _bands(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return _step(np.sin(v * np.pi * count) - rng.uniform(-0.2, 0.6), 6)


def _stripes(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return _step(np.sin(u * count) - rng.uniform(-0.2, 0.5), 5)


def _checks(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return _step(np.sin(u * count) * np.sin(v * np.pi * (count // 2 + 1)), 8)


def _dots(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return _step(np.sin(u * count) * np.sin(v * np.pi * (count // 2 + 1)) - 0.45, 8)


def _dip(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    return _step((v - at) * (1 if rng.random() < 0.5 else -1) + 0.02 * np.sin(u * 5 + at), 40)


def _badge(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    # the shortest angle around the circle, 0..pi
    gap = np.abs((u - at * 2 * np.pi + np.pi) % (2 * np.pi) - np.pi)
    return _step(1 - (gap / rng.uniform(0.35, 0.85)) ** 2 - ((v - 0.5) / 0.3) ** 2, 6)


def _speckle(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    spots = (rng.random((v.shape[0], u.shape[1])) < 0.06).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(spots, (0, 0), 0.7) * 1.6, np.float32)


def _food(u: Float32, v: Float32, count: int, at: float, rng: np.random.Generator) -> Float32:
    edge = 0.35 + 0.3 * at + 0.05 * np.sin(3 * u + at * 9) + 0.03 * np.sin(7 * u + count)
    return _step(v - edge, 25)


WEIGHTS = {
    "plain": _none,
    "bands": _bands,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "dip": _dip,
    "badge": _badge,
    "speckle": _speckle,
    "food": _food,
}


def _step(value: Array, sharp: float) -> Float32:
    return np.asarray(np.clip(value * sharp + 0.5, 0, 1), np.float32)
