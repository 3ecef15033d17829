"""Noise, blur and weather in five severities, after ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261).

The parameters are those of ImageNet-C for images of 224 pixels. Lengths grow with the shorter side and noise with its square root,
which gives about the parameters of CIFAR-10-C at 32 pixels. Rain is not part of ImageNet-C; its parameters are our own. A severity
between two whole ones is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edgecnn.trust.invariance.changes import to_bytes
from edgecnn.trust.invariance.transformation import SEVERITIES
from edgecnn.types import Array, Boxes, Float32, Image

SIDE = 224.0  # pixels of the shorter side for which the parameters hold
GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation as a fraction of the range
IMPULSE = (0.03, 0.06, 0.09, 0.17, 0.27)  # share of the values that become black or white
DEFOCUS = (3.0, 4.0, 6.0, 8.0, 10.0)  # radius of the disk in pixels
MOTION = ((10, 15, 15, 15, 20), (3, 5, 8, 12, 15))  # pixels: radius of the path, standard deviation of its weights
FOG = ((1.5, 2.0, 2.5, 2.5, 3.0), (2.0, 2.0, 1.7, 1.5, 1.4))  # amount, and how fast finer structures fade
RAIN = (
    (0.002, 0.004, 0.007, 0.011, 0.016),  # drops per pixel
    (8, 11, 14, 18, 22),  # length of a streak in pixels
    (0.35, 0.45, 0.55, 0.65, 0.75),  # brightness of a streak
    (0.95, 0.9, 0.85, 0.8, 0.72),  # of the light that is left
)
SMALL_RADIUS = 4.0  # pixels: blur with a larger one is computed on a smaller image, which it does not tell from
TILT = 15.0  # degrees: rain falls at most that far from straight down


def noise(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """Gaussian noise."""
    sigma = 255 * at(GAUSSIAN, severity) * relative_size(image) ** 0.5
    grain = random.standard_normal(_own_values(image), np.float32)
    grain *= np.float32(sigma)
    return to_bytes(image + grain)


def impulse(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """Salt and pepper: single values black or white."""
    share = min(at(IMPULSE, severity) * relative_size(image) ** 0.5, 0.5)
    draw = np.broadcast_to(random.random(_own_values(image), np.float32), image.shape)
    changed: Image = image.copy()
    changed[draw < share / 2] = 0
    changed[draw > 1 - share / 2] = 255
    return changed


def defocus(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """Each point becomes a disk."""
    radius = at(DEFOCUS, severity) * relative_size(image)

    def disk(smaller: float) -> Array:
        reach = int(np.ceil(radius / smaller))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        # the edge of the disk falls off over one pixel: a small disk is then no square
        return np.asarray(np.clip(radius / smaller + 0.5 - np.hypot(x, y), 0, 1))

    return _filtered(image, radius, disk)


def motion(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """The camera moves along a line, whose direction is drawn."""
    scale, angle = relative_size(image), float(random.uniform(-np.pi / 4, np.pi / 4))
    sigma = at(MOTION[1], severity) * scale
    radius = min(at(MOTION[0], severity) * scale, 3 * sigma)
    return _filtered(image, sigma, lambda smaller: line(radius / smaller, sigma / smaller, angle))


def fog(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """A cloud of noise at all sizes, lighter than the image, which loses contrast."""
    amount, fade = (at(row, severity) for row in FOG)
    height, width = image.shape[:2]
    cloud: Float32 = np.zeros((height, width), np.float32)
    for octave in range(1, 8):
        grid = random.random((2**octave + 1, 2**octave + 1), np.float32)
        cloud += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(fade**-octave)
    cloud = (cloud - cloud.min()) / max(float(np.ptp(cloud)), 1e-6)
    most = float(image.max()) / 255
    return to_bytes((image + np.float32(255 * amount) * cloud[..., None]) * np.float32(most / (most + amount)))


def rain(image: Image, boxes: Boxes | None, severity: float, random: np.random.Generator) -> Image:
    """Bright streaks in one direction before a darker image."""
    density, length, bright, left = (at(row, severity) for row in RAIN)
    scale = relative_size(image)
    angle = np.pi / 2 + np.deg2rad(random.uniform(-TILT, TILT))
    drops = random.random(image.shape[:2], np.float32) < density / max(scale, 0.25)
    radius = max(length * scale / 2, 1.0)
    kernel = line(radius, radius, float(angle))
    streaks = cv2.filter2D(drops.astype(np.float32), -1, kernel / kernel.max(), borderType=cv2.BORDER_REFLECT)
    cover = np.minimum(streaks, 1) * np.float32(bright)
    return to_bytes(image * (np.float32(left) * (1 - cover))[..., None] + (255 * cover)[..., None])


def at(values: Sequence[float], severity: float) -> float:
    """The parameter at a severity of 1 to 5."""
    return float(np.interp(severity, SEVERITIES, values))


def relative_size(image: Image) -> float:
    """The shorter side as a multiple of that of ImageNet-C."""
    return float(min(image.shape[:2])) / SIDE


def _own_values(image: Image) -> tuple[int, int, int]:
    """The shape of the noise: the channels of a grey image stay equal."""
    grey = all(np.array_equal(image[..., 0], image[..., channel]) for channel in range(1, image.shape[2]))
    return image.shape[0], image.shape[1], 1 if grey else image.shape[2]


def line(radius: float, sigma: float, angle: float) -> Array:
    """A filter (n, n) with Gaussian weights along a line through its middle."""
    reach = int(np.ceil(radius)) + 1
    along = np.linspace(-radius, radius, 4 * reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float64)
    for step, weight in zip(along, np.exp(-(along**2) / (2 * max(sigma, 1e-6) ** 2)), strict=True):
        x, y = reach + step * np.cos(angle), reach + step * np.sin(angle)
        column, row = int(x), int(y)
        # shared by the four pixels around the point
        right, below = x - column, y - row
        for dy, part in ((0, 1 - below), (1, below)):
            for dx, share in ((0, 1 - right), (1, right)):
                if row + dy < len(kernel) and column + dx < len(kernel):
                    kernel[row + dy, column + dx] += weight * part * share
    return kernel


def _filtered(image: Image, radius: float, kernel_for: Callable[[float], Array]) -> Image:
    """``image`` under the filter that ``kernel_for`` makes for an image that is smaller by a factor, of about ``radius`` pixels."""
    height, width = image.shape[:2]
    smaller = max(1, int(radius / SMALL_RADIUS))
    base = image
    if smaller > 1:
        base = np.asarray(cv2.resize(image, (width // smaller, height // smaller), interpolation=cv2.INTER_AREA), np.uint8)
    kernel = kernel_for(smaller)
    changed = cv2.filter2D(base, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    if smaller > 1:
        changed = cv2.resize(changed, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(changed, np.uint8).reshape(image.shape)
