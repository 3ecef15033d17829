"""The surface of a turned thing: glaze, patterns, liquid. Colours are BGR, 0..1."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.data.scene.profiles import POINTS, Profile
from edgecnn.data.scene.revolve import AZIMUTHS
from edgecnn.types import Float32

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
PATTERNS = ("plain", "plain", "bands", "stripes", "dots", "checks", "dip", "badge", "speckle")


@dataclass(frozen=True, slots=True)
class Look:
    """How a thing is coloured: outside, inside, second colour, liquid, pattern by name, gloss 0..1, and a seed for details."""

    outside: Colour
    inside: Colour
    accent: Colour
    liquid: Colour
    pattern: str
    gloss: float
    seed: int


def look(rng: np.random.Generator, kind: str) -> Look:
    """A look that suits ``kind``."""
    glaze = _pick(rng, GLAZES)
    inside = glaze if rng.random() < 0.45 else _pick(rng, GLAZES[:3])
    pattern = str(rng.choice(PATTERNS))
    return Look(
        outside=glaze,
        inside=inside,
        accent=_pick(rng, GLAZES),
        liquid=_pick(rng, LIQUIDS),
        pattern=pattern,
        gloss=float(rng.uniform(0.1, 1.0)),
        seed=int(rng.integers(1 << 31)),
    )


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    b, g, r = np.clip(
        np.asarray(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.08) + rng.normal(0, 0.025, 3), 0.03, 1
    )
    return float(b), float(g), float(r)


def albedo(shape: Profile, surface: Look) -> Float32:
    """(POINTS, AZIMUTHS, 3) float32: the colour of each point of the surface before any light."""
    rim = min(shape.rim, POINTS)
    colour = np.empty((POINTS, AZIMUTHS, 3), np.float32)
    colour[:rim] = surface.outside
    colour[rim:] = surface.inside
    rng = np.random.default_rng(surface.seed)
    flat = shape.height < 0.5 * shape.radius
    area = colour[rim + 2 :] if flat and rim < POINTS else colour[2 : max(rim - 1, 3)]
    _paint(area, surface.pattern, np.asarray(surface.accent, np.float32), rng)
    if shape.fill < POINTS:
        colour[shape.fill :] = surface.liquid
        colour[shape.fill] = np.asarray(surface.liquid) * 1.25 + 0.03
    return colour


def _paint(area: Float32, pattern: str, accent: Float32, rng: np.random.Generator) -> None:
    rows, columns = area.shape[:2]
    v = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    u = np.linspace(0, 2 * np.pi, columns, endpoint=False, dtype=np.float32)[None]
    area[:] = area + _weight(pattern, u, v, rng)[..., None] * (accent - area)


def _weight(pattern: str, u: Float32, v: Float32, rng: np.random.Generator) -> Float32:
    """0..1 (rows, columns): where the second colour is."""
    count = int(rng.integers(3, 11))
    at, wide = rng.uniform(0.15, 0.85), rng.uniform(0.05, 0.22)
    zero = u * 0 + v * 0
    if pattern == "bands":
        return _step(np.sin(v * np.pi * count) - rng.uniform(-0.2, 0.6), 6) + zero
    if pattern == "stripes":
        return _step(np.sin(u * count) - rng.uniform(-0.2, 0.5), 5) + zero
    if pattern == "checks":
        return _step(np.sin(u * count) * np.sin(v * np.pi * (count // 2 + 1)), 8)
    if pattern == "dots":
        return _step(np.sin(u * count) * np.sin(v * np.pi * (count // 2 + 1)) - 0.45, 8)
    if pattern == "dip":
        return _step((v - at) * (1 if rng.random() < 0.5 else -1) + 0.02 * np.sin(u * 5 + at), 40) + zero
    if pattern == "badge":
        gap = np.abs((u - rng.uniform(0, 6.28) + np.pi) % (2 * np.pi) - np.pi)
        return _step(1 - (gap / (3 * wide + 0.2)) ** 2 - ((v - 0.5) / 0.3) ** 2, 6)
    if pattern == "speckle":
        return np.asarray(cv2.GaussianBlur((rng.random(zero.shape) < 0.06).astype(np.float32), (0, 0), 0.7), np.float32) * 1.6
    return zero


def _step(value: Float32, sharp: float) -> Float32:
    return np.clip(value * np.float32(sharp) + np.float32(0.5), 0, 1).astype(np.float32)
