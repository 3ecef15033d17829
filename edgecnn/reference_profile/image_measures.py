"""Numbers that describe an image without a network: light, contrast, sharpness, colour, and where things lie in it.

All are taken from a copy that is at most 320 pixels wide, so their cost does not depend on the camera, and the same picture gives
nearly the same numbers at another resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.types import Float32, Image

WIDTH = 320  # pixels of the copy that is measured
GRID = (12, 16)  # rows and columns of the thumbnail
_BLOCKS = 4  # blocks of the thumbnail in each direction that the layout keeps
_DIRECTIONS = 8  # of edges, over 180 degrees
_ANGLES = (np.arange(_DIRECTIONS) + 0.5) * (2 * np.pi / _DIRECTIONS)  # twice those of the gradients
_TURNS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)
_LEAST = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class ImageMeasures:
    """``values`` by name, ``layout`` (24,) float32 and ``thumbnail`` (192,) float32, see ``measure_image``."""

    values: dict[str, float]
    layout: Float32
    thumbnail: Float32


def measure_image(image: Image) -> ImageMeasures:
    """Measure ``image`` (H, W, 3) uint8 BGR.

    ``brightness`` is the mean of luma (0..255), ``contrast`` its standard deviation, ``sharpness`` the base-2 logarithm of the
    deviation of the Laplacian over that of luma, which light does not change (after Pech-Pacheco et al. 2000, ICPR), ``saturation`` the
    mean distance of the largest and the smallest channel (0..255), ``warmth`` red minus blue and ``tint`` green minus both, as
    percent of the brightness. ``upright`` is the share of upright edges minus that of level ones, ``leaning`` that of edges leaning to the
    right minus those leaning to the left, both in -1..1: a camera that hangs askew changes them. The layout is 4 x 4 blocks of luma
    without mean and scale, then the shares of eight directions of edges (as in HOG, Dalal and Triggs 2005); the thumbnail is 12 x 16 of
    luma, of mean 0 and length 1.
    """
    small = reduced(image)
    gray: Image = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
    blue, green, red = cv2.mean(small)[:3]
    detail = float(cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))[1][0, 0])
    channels = cv2.split(small)
    largest, smallest = cv2.max(cv2.max(*channels[:2]), channels[2]), cv2.min(cv2.min(*channels[:2]), channels[2])
    percent = 100 / max(mean, 8.0)
    thumbnail, edges = _thumbnail(gray), _edges(gray)
    upright, leaning = (_TURNS @ edges).tolist()
    return ImageMeasures(
        {
            "brightness": mean,
            "contrast": deviation,
            "sharpness": math.log2((detail + 0.25) / (deviation + 1)),
            "saturation": cv2.mean(largest)[0] - cv2.mean(smallest)[0],
            "warmth": (red - blue) * percent,
            "tint": (green - (red + blue) / 2) * percent,
            "upright": upright,
            "leaning": leaning,
        },
        np.concatenate([_blocks(thumbnail), edges]),
        thumbnail.reshape(-1),
    )


def reduced(image: Image) -> Image:
    """The image at most 320 pixels wide, by the mean of the pixels that become one."""
    height, width = image.shape[:2]
    if width <= WIDTH:
        return image
    size = (WIDTH, max(round(height * WIDTH / width), 1))
    # halves first: OpenCV averages blocks of 2 x 2 many times faster than others
    while image.shape[1] >= 4 * WIDTH and not image.shape[0] % 2 and not image.shape[1] % 2:
        image = _resized(image, (image.shape[1] // 2, image.shape[0] // 2))
    return _resized(image, size)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _thumbnail(gray: Image) -> Float32:
    values = _resized(gray, GRID[::-1]).astype(np.float32)
    values -= values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), _LEAST), np.float32)


def _blocks(thumbnail: Float32) -> Float32:
    """Means of 4 x 4 blocks, times the root of the number of cells: of the size of 1 where all contrast is between blocks."""
    rows, columns = GRID
    blocks = thumbnail.reshape(_BLOCKS, rows // _BLOCKS, _BLOCKS, columns // _BLOCKS).mean((1, 3))
    return np.asarray(blocks.reshape(-1) * math.sqrt(rows * columns), np.float32)


def _edges(gray: Image) -> Float32:
    """The shares of eight directions of edges, weighted by their strength."""
    gray = _resized(gray, (max(gray.shape[1] // 2, 1), max(gray.shape[0] // 2, 1)))
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength, angle = cv2.cartToPolar(across, down)
    place = (angle * np.float32(_DIRECTIONS / np.pi)).astype(np.int32) % _DIRECTIONS
    shares = np.bincount(place.reshape(-1), strength.reshape(-1), _DIRECTIONS)
    return np.asarray(shares / max(float(shares.sum()), _LEAST), np.float32)
