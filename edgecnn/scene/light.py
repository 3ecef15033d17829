"""Simulates light and sensor: shading of solids of revolution, gain over the image, blur, exposure and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edgecnn.scene.camera import Float64, Motion
from edgecnn.scene.options import SceneOptions
from edgecnn.scene.profiles import Profile
from edgecnn.scene.revolve import AZIMUTHS
from edgecnn.types import Array, Float32, Image

GAIN_ONE = 150.0  # a factor of 1 as uint8: leaves room for factors up to 1.7
NOISE_SIDE = 1024  # pixels of the noise image from which every frame cuts a random part


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """One lamp and its surroundings during a cut.

    ``direction`` points to the lamp (unit vector, world); ``ambient`` is the share of ambient light; ``tint`` is the
    lamp's colour (BGR, about 1); ``exposure`` and ``gamma`` are those of the camera; ``noise`` and ``blur`` (standard
    deviations in grey levels and in shares of the width) and ``smear`` (x, y in shares of the width) belong to the camera.
    """

    direction: Float64
    ambient: float
    tint: Float64
    exposure: float
    gamma: float
    vignette: float
    pool: tuple[float, float, float]
    bars: tuple[float, float, float]
    sway: Motion
    noise: float
    blur: float
    smear: tuple[float, float]


def sample_light(options: SceneOptions, rng: np.random.Generator) -> Light:
    """Random light for one cut; with ``options.light`` 0 it is neutral, nearly even, and within a third of a stop of a good exposure."""
    amount = options.light
    bearing, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(28, 75))
    direction = np.array([np.cos(bearing) * np.cos(height), np.sin(bearing) * np.cos(height), np.sin(height)])
    warm = rng.uniform(-1, 1) * 0.28 * amount
    stops = rng.uniform(-2.4, 1.1) * amount if rng.random() < 0.75 else rng.uniform(-0.3, 0.3)
    barred = rng.random() < 0.5 * amount
    # squared: most cuts are nearly sharp
    blurred, smeared = rng.random(2) ** 2 * options.blur
    angle = rng.uniform(0, 2 * np.pi)
    return Light(
        direction=direction,
        ambient=float(rng.uniform(0.35, 0.6)),
        tint=np.array([1 - warm, 1 + rng.uniform(-0.04, 0.04) * amount, 1 + warm]),
        # a stop is a factor of 2
        exposure=float(1.12 * 2**stops),
        gamma=float(np.exp(rng.uniform(-0.3, 0.3) * amount)),
        vignette=float(rng.uniform(0, 0.5) * (0.3 + amount)),
        pool=(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)), float(rng.uniform(0, 0.7) * amount)),
        bars=(float(rng.uniform(0, np.pi)), float(rng.uniform(3, 14)), float(rng.uniform(0.2, 0.5)) if barred else 0.0),
        sway=Motion(float(rng.uniform(0, 6)), float(rng.uniform(-0.4, 0.4)) * options.speed),
        noise=float(rng.uniform(0.15, 1.0)) * options.noise * 16,
        blur=float(blurred) * 2 / 640,
        smear=(float(np.cos(angle) * smeared) * 9 / 640, float(np.sin(angle) * smeared) * 9 / 640),
    )


def shading(shape: Profile, pitch: float, lamp: Light, towards: Float64, gloss: float) -> tuple[Float32, Float32]:
    """Diffuse factor and additive specular highlights of a solid of revolution, (POINTS, AZIMUTHS) float32 each.

    ``towards`` is the horizontal unit vector (x, y) from the object to the camera.
    """
    azimuth = np.arange(AZIMUTHS, dtype=np.float32) * np.float32(2 * np.pi / AZIMUTHS)
    c, s = np.cos(azimuth)[None], np.sin(azimuth)[None]
    nr, nh = (part[:, None] for part in normals(shape))
    # the lamp in the object's frame: x to the right of the image, y towards the camera, z up
    lx = float(lamp.direction[0] * -towards[1] + lamp.direction[1] * towards[0])
    ly = float(lamp.direction[:2] @ towards)
    lz = float(lamp.direction[2])
    # Lambert's cosine; 0.15 of it wraps around the edge, as a lamp that is not a point does
    facing = nr * (c * lx + s * ly) + nh * lz
    lit = np.clip(facing * 0.85 + 0.15, 0, 1) * _unshadowed(shape, c * lx + s * ly, lz)
    sky = (0.62 + 0.38 * nh) * _open_sky(shape)[:, None]
    shade = lamp.ambient * sky + (1.12 - lamp.ambient) * lit
    # the half vector between lamp and camera, of the Blinn-Phong model
    hx, hy, hz = lx, ly + np.cos(pitch), lz + np.sin(pitch)
    length = float(np.sqrt(hx * hx + hy * hy + hz * hz)) + 1e-6
    glint = np.clip((nr * (c * hx + s * hy) + nh * hz) / length, 0, 1)
    # glaze reflects more at grazing angles (Fresnel); ``window`` is a second, fixed source of highlights
    graze = 1 - np.clip(nr * s * np.cos(pitch) + nh * np.sin(pitch), 0, 1)
    window = np.clip(nr * (c * -0.55 + s * 0.62) + nh * 0.56, 0, 1)
    broad = _power(glint, 3)
    bright = gloss * (0.75 * _power(broad, 2) * broad + 0.18 * broad + 0.3 * _power(window, 6) + 0.14 * _power(graze, 2))
    return shade.astype(np.float32), (bright * np.minimum(lit + 0.45, 1)).astype(np.float32)


def _power(value: Array, doublings: int) -> Array:
    """``value`` to the power of 2 ** doublings; far quicker than ``**``."""
    for _ in range(doublings):
        value = value * value
    return value


def normals(shape: Profile) -> tuple[Float32, Float32]:
    """The outward normal of each profile point: its radial and its vertical part, (POINTS,) each, of length one."""
    dr, dh = np.gradient(shape.r), np.gradient(shape.h)
    # on the axis the gradient is undefined: the normal points up
    dr, dh = np.where(shape.r < 0.02, -1, dr), np.where(shape.r < 0.02, 0, dh)
    length = np.hypot(dr, dh) + 1e-6
    return (dh / length).astype(np.float32), (-dr / length).astype(np.float32)


def _unshadowed(shape: Profile, along: Float32, height: float) -> Float32:
    """Share of direct light 0.2..1: the opposite wall shadows the inside below the chord times the slope of the lamp."""
    depth = np.maximum(shape.h[min(shape.rim, len(shape.h) - 1)] - shape.h, 0)[:, None]
    slope = height / max(float(np.sqrt(1 - height * height)), 1e-3)
    r, wall = shape.r[:, None], max(float(shape.r[min(shape.rim, len(shape.r) - 1)]), 0.1)
    chord = np.sqrt(np.maximum(wall * wall - r * r * (1 - along * along), 0)) - r * along
    lit = np.clip((chord * slope - depth) / (0.25 * shape.radius) + 0.5, 0, 1)
    lit[: min(shape.rim + 2, len(lit))] = 1
    return np.asarray(lit * 0.8 + 0.2, np.float32)


def _open_sky(shape: Profile) -> Float32:
    """Ambient occlusion of each profile point, 0..1: darker deep inside, and outside close to the table."""
    rim = min(shape.rim, len(shape.h) - 1)
    depth = np.maximum(shape.h[rim] - shape.h, 0) / max(float(shape.r[rim]), 0.5)
    sky = np.asarray(1 / (1 + 0.35 * depth), np.float32)
    sky[: rim + 1] = np.clip(0.72 + 0.28 * shape.h[: rim + 1] / 2.5, 0, 1)
    return sky


def gain(lamp: Light, t: float, size: tuple[int, int]) -> Image:
    """Gain of each pixel, (H, W, 3) uint8, GAIN_ONE is 1: vignette, spot of light, shadows of a blind, tint of the lamp."""
    # the gain varies slowly: it is computed at a width of 64 pixels and enlarged
    width, height = 64, max(8, round(64 * size[1] / size[0]))
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    px, py, depth = lamp.pool
    value = 1 - lamp.vignette * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2
    value = value * (1 - depth + depth * 1.35 * np.exp(-((x - px) ** 2 + (y - py) ** 2) * 3))
    angle, count, dark = lamp.bars
    if dark:
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * count * 2 + lamp.sway.at(t))
        value = value * (1 - dark * np.clip(wave * 2.5 + 0.5, 0, 1))
    small = np.clip(value[..., None] * (lamp.tint * GAIN_ONE), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


def apply_sensor(image: Array, lamp: Light, gained: Image, index: int, seed: int) -> Image:
    """Apply the sensor to an image: ``gained`` (from ``gain``), blur, exposure and noise."""
    height, width = image.shape[:2]
    image = cv2.multiply(image, gained, scale=1 / GAIN_ONE)
    image = cv2.LUT(_blur(image, lamp, width), _curve(lamp))
    if lamp.noise < 0.3:
        return np.asarray(image, np.uint8)
    share = lamp.noise / 32
    # the noise image has mean 128 and a standard deviation of about 32, hence the division by 32
    noisy = cv2.addWeighted(image, 1.0, _grain(height, width, index, seed), share, -128 * share)
    return np.asarray(noisy, np.uint8)


def _blur(image: Array, lamp: Light, width: int) -> Array:
    sigma = lamp.blur * width
    if sigma > 0.35:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    dx, dy = lamp.smear[0] * width, lamp.smear[1] * width
    length = float(np.hypot(dx, dy))
    if length < 1.5:
        return image
    # odd, so that the kernel has a middle; the line is drawn in 1/16 pixels (shift 4)
    side = int(length) | 1
    kernel = np.zeros((side + 2, side + 2), np.float32)
    middle = (side + 1) / 2
    ends = [(round((middle + k * dx / 2) * 16), round((middle + k * dy / 2) * 16)) for k in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _curve(lamp: Light) -> Array:
    value = (np.arange(256, dtype=np.float64) / 255) ** lamp.gamma * lamp.exposure
    # soft clipping of highlights, as in a camera's tone curve
    knee = np.where(value > 0.85, 0.85 + 0.15 * np.tanh((value - 0.85) / 0.22), value)
    return np.clip(knee * 255 + 0.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _grains() -> Image:
    rng = np.random.default_rng(1)
    rough = rng.normal(0, 30, (NOISE_SIDE, NOISE_SIDE, 3)).astype(np.float32)
    # demosaicing correlates the noise of neighbouring pixels: a part of it is smoothed
    soft = cv2.GaussianBlur(rough, (0, 0), 0.8)
    soft *= 32 / soft.std()
    return np.asarray(np.clip(0.5 * rough + 0.75 * soft + 128, 0, 255), np.uint8)


def _grain(height: int, width: int, index: int, seed: int) -> Image:
    """(height, width, 3) uint8 about 128: a piece of one large noise, at another place for each frame."""
    noise = _grains()
    a, b = np.random.default_rng([seed, index, 7]).integers(0, NOISE_SIDE, 2)
    # small images are a view of the noise; larger ones wrap around, which copies
    if height <= NOISE_SIDE * 3 // 4 and width <= NOISE_SIDE * 3 // 4:
        a, b = a % (NOISE_SIDE - height), b % (NOISE_SIDE - width)
        return noise[a : a + height, b : b + width]
    rows, columns = (np.arange(height) + a) % NOISE_SIDE, (np.arange(width) + b) % NOISE_SIDE
    return np.asarray(noise[rows][:, columns])
