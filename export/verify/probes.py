"""The images that an artifact is verified on: real ones, and synthetic extremes that datasets do not contain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from edgecnn.card import Preprocess
from edgecnn.synthetic_inputs import PATTERNS, pattern
from edgecnn.tensor_pack import sample
from edgecnn.types import Image, TensorSpec

REAL, NOISE_ONLY = "real", "noise only"
EXTREME_SHAPES = {"wide": (40, 1000), "tall": (1000, 40)}
REAL_KINDS = (REAL, NOISE_ONLY)  # kinds on which labels and boxes must agree


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One source image, (H, W, 3) uint8 BGR, and its kind: "real", "noise only" or a synthetic kind."""

    kind: str
    image: Image


def probes(real: Sequence[Image], preprocess: Preprocess) -> list[Probe]:
    """``real`` images and all synthetic images for a model with that input.

    Without real images, blurred noise of the kind "noise only" is used instead.
    """
    if preprocess.tensors:
        return _tensor_probes(real, preprocess.tensors)
    height, width = preprocess.size
    fallback = [] if real else [Probe(NOISE_ONLY, _blurred(height, width, sigma)) for sigma in (1, 2, 4, 8)]
    synthetic = [Probe(kind, pattern(kind, height, width)) for kind in PATTERNS]
    # a window of a signal always has the size of the input
    extremes = {} if preprocess.signal else EXTREME_SHAPES
    shapes = [Probe(kind, pattern("gradient", *size)) for kind, size in extremes.items()]
    return [Probe(REAL, image) for image in real] + fallback + synthetic + shapes


def _tensor_probes(real: Sequence[Image], specs: Sequence[TensorSpec]) -> list[Probe]:
    """Packed tensors: ``real`` ones, or normally distributed values, then zeros, ones and other random values."""
    found = [Probe(REAL, image) for image in real] or [Probe(NOISE_ONLY, sample("noise", specs, seed)) for seed in range(1, 9)]
    return [*found, *(Probe(kind, sample(kind, specs, 99)) for kind in ("black", "white", "noise"))]


def _blurred(height: int, width: int, sigma: float) -> Image:
    """Noise blurred by ``sigma`` pixels, normalised to 0..255."""
    blurred = cv2.GaussianBlur(pattern("noise", height, width), (0, 0), sigma)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype("uint8")  # type: ignore[call-overload, no-any-return]
