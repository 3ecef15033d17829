"""Procedural table materials: a pattern in grey, and the colours of its darkest and lightest parts (BGR, 0..1)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from edgecnn.scene.appearance import Colour
from edgecnn.types import Array, Float32, Image

SIDE = 768  # pixels of a pattern, 70 to 110 cm of the table
Palette = tuple[Colour, Colour]

PALETTES: dict[str, tuple[Palette, ...]] = {
    "wood": (
        ((0.16, 0.30, 0.46), (0.36, 0.55, 0.72)),
        ((0.08, 0.14, 0.24), (0.20, 0.30, 0.44)),
        ((0.45, 0.60, 0.72), (0.66, 0.78, 0.86)),
        ((0.12, 0.22, 0.40), (0.22, 0.38, 0.60)),
    ),
    "planks": (
        ((0.14, 0.24, 0.36), (0.34, 0.50, 0.64)),
        ((0.40, 0.45, 0.48), (0.68, 0.72, 0.74)),
        ((0.07, 0.10, 0.16), (0.18, 0.26, 0.36)),
    ),
    "marble": (
        ((0.55, 0.56, 0.58), (0.92, 0.93, 0.93)),
        ((0.10, 0.11, 0.10), (0.34, 0.36, 0.35)),
        ((0.50, 0.60, 0.66), (0.80, 0.88, 0.92)),
    ),
    "cloth": (
        ((0.70, 0.74, 0.78), (0.90, 0.92, 0.94)),
        ((0.16, 0.16, 0.50), (0.28, 0.28, 0.72)),
        ((0.40, 0.26, 0.16), (0.62, 0.44, 0.30)),
        ((0.24, 0.36, 0.24), (0.40, 0.54, 0.40)),
        ((0.28, 0.30, 0.32), (0.46, 0.48, 0.50)),
    ),
    "checks": (
        ((0.24, 0.24, 0.66), (0.92, 0.93, 0.94)),
        ((0.62, 0.44, 0.28), (0.92, 0.93, 0.93)),
        ((0.34, 0.48, 0.36), (0.90, 0.92, 0.88)),
        ((0.30, 0.32, 0.34), (0.84, 0.85, 0.86)),
    ),
    "stripes": (
        ((0.55, 0.42, 0.30), (0.90, 0.90, 0.88)),
        ((0.30, 0.34, 0.60), (0.84, 0.88, 0.90)),
        ((0.40, 0.44, 0.44), (0.66, 0.70, 0.72)),
    ),
    "plain": (
        ((0.84, 0.86, 0.88), (0.92, 0.93, 0.94)),
        ((0.20, 0.20, 0.21), (0.26, 0.26, 0.27)),
        ((0.50, 0.54, 0.58), (0.58, 0.61, 0.64)),
        ((0.55, 0.66, 0.72), (0.62, 0.72, 0.78)),
        ((0.46, 0.40, 0.28), (0.54, 0.48, 0.34)),
    ),
    "speckled": (
        ((0.22, 0.22, 0.24), (0.62, 0.62, 0.62)),
        ((0.60, 0.64, 0.66), (0.92, 0.92, 0.92)),
    ),
}


def _noise(rng: np.random.Generator, cells: tuple[int, int], octaves: int) -> Float32:
    """Smooth noise 0..1, (SIDE, SIDE), with ``cells`` lumps down and across, halved in size ``octaves`` times."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(octaves):
        # fractal noise: each octave has half the size and half the weight of the one before
        rows, columns = (max(2, min(SIDE, n * 2**octave)) for n in cells)
        lumps = rng.random((rows, columns), np.float32)
        total += cv2.resize(lumps, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    total -= total.min()
    return np.asarray(total / total.max(), np.float32)


@lru_cache(maxsize=32)
def grain(kind: str, variant: int) -> Image:
    """The pattern of a material in grey, (SIDE, SIDE) uint8."""
    # not hash(kind), which differs between processes
    rng = np.random.default_rng([len(kind), ord(kind[0]), variant])
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    value = MATERIALS[kind](rng, x, y)
    return np.asarray(np.clip(value * 255, 0, 255), np.uint8)


def _wood(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    # straight rings, bent by noise; the noise of 120 x 4 lumps makes fibres along x
    rings = np.sin((y * rng.uniform(14, 30) + _noise(rng, (6, 2), 3) * 5) * 2 * np.pi) * 0.5 + 0.5
    return np.asarray(0.35 * rings + 0.45 * _noise(rng, (120, 4), 3) + 0.2 * _noise(rng, (4, 3), 2))


def _planks(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    count = int(rng.integers(4, 8))
    board = np.minimum((y * count).astype(np.int32), count - 1)
    seam = np.abs(y * count - board - 0.5) > 0.485
    value = 0.25 + 0.4 * _wood(rng, x, y) + rng.uniform(-0.12, 0.35, count)[board]
    return np.where(seam, value * 0.35, value)


def _marble(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    bend = _noise(rng, (4, 4), 4)
    veins = 1 - np.abs(np.sin((x * rng.uniform(1, 4) + y * rng.uniform(1, 4) + bend * 2.4) * np.pi)) ** 0.25
    return np.asarray(0.95 - 0.75 * veins - 0.3 * (1 - _noise(rng, (6, 6), 4)))


def _cloth(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    weave = np.sin(x * 900) * np.sin(y * 900) * 0.16
    return np.asarray(0.5 + weave + 0.35 * (_noise(rng, (5, 5), 2) - 0.5) + 0.12 * (rng.random(x.shape, np.float32) - 0.5))


def _checks(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    count = int(rng.integers(5, 14))
    across, down = ((np.sin(axis * count * 2 * np.pi) > 0) * 0.4 for axis in (x, y))
    return np.asarray(0.95 - across - down + 0.1 * (rng.random(x.shape, np.float32) - 0.5))


def _stripes(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    count = int(rng.integers(6, 22))
    wave = np.sin(y * count * 2 * np.pi) > rng.uniform(-0.3, 0.6)
    return np.asarray(0.9 - 0.75 * wave + 0.1 * (rng.random(x.shape, np.float32) - 0.5))


def _plain(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    return np.asarray(0.3 + 0.4 * _noise(rng, (3, 3), 2) + 0.15 * rng.random(x.shape, np.float32))


def _speckled(rng: np.random.Generator, x: Float32, y: Float32) -> Array:
    spots = cv2.GaussianBlur((rng.random(x.shape, np.float32) < 0.02).astype(np.float32), (0, 0), 1.3)
    return np.asarray(0.3 + 3.5 * spots - 2.5 * np.roll(spots, 97, 0) + 0.2 * _noise(rng, (60, 60), 2))


MATERIALS = {
    "wood": _wood,
    "planks": _planks,
    "marble": _marble,
    "cloth": _cloth,
    "checks": _checks,
    "stripes": _stripes,
    "plain": _plain,
    "speckled": _speckled,
}
