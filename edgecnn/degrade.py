"""Makes the degraded input of a restoration model from a good image: smaller, noisy, or both."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edgecnn.types import Image


@dataclass(frozen=True, slots=True)
class Degradation:
    """What a model restores: each block of ``upscale`` x ``upscale`` pixels averaged to one, and then Gaussian noise of the
    standard deviation ``noise`` in grey levels.
    """

    upscale: int = 1
    noise: float = 0.0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Degradation:
        """That of the options ``upscale`` and ``noise`` of a card's decoder."""
        return cls(int(options.get("upscale", 1)), float(options.get("noise", 0.0)))


def degrade(image: Image, how: Degradation, random: np.random.Generator) -> Image:
    """``image`` (H, W, C) uint8, degraded, rounded and clipped to 8 bits. H and W are multiples of ``upscale``."""
    upscale, noise = how.upscale, how.noise
    if upscale > 1:
        height, width = image.shape[0] // upscale, image.shape[1] // upscale
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        image = small.reshape(height, width, image.shape[2]).astype(np.uint8, copy=False)
    if noise:
        noisy = image + random.normal(0, noise, image.shape)
        image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return image


def enlarged(image: Image, upscale: int) -> Image:
    """``image`` (h, w, 3) enlarged by bicubic interpolation: what a display does without a model."""
    if upscale == 1:
        return image
    size = (image.shape[1] * upscale, image.shape[0] * upscale)
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def fixed_random(image: Image) -> np.random.Generator:
    """A random generator that is the same for the same pixels, so that an evaluation gives the same noise each time."""
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).tobytes()))


def cover(image: Image, size: tuple[int, int]) -> Image:
    """The centre of ``image`` (H, W, 3) with ``size`` (height, width); a smaller image is enlarged first."""
    height, width = image.shape[:2]
    ratio = max(size[0] / height, size[1] / width, 1.0)
    if ratio > 1:
        larger = (max(round(width * ratio), size[1]), max(round(height * ratio), size[0]))
        image = cv2.resize(image, larger, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    top, left = ((image.shape[axis] - size[axis]) // 2 for axis in (0, 1))
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
