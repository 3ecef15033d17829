"""What an artifact is verified on: real images, and stress images that no dataset holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from edgecnn.card import Preprocess
from edgecnn.synthetic_inputs import PATTERNS, pattern
from edgecnn.types import Image

REAL, NOISE_ONLY = "real", "noise only"
SHAPES = {"wide": (40, 1000), "tall": (1000, 40)}
JUDGED = (REAL, NOISE_ONLY)  # kinds on which labels and boxes have to agree
USUAL = (*JUDGED, *SHAPES)  # kinds within the values that a camera gives, where int8 has to keep its mean error; not so all white


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One source image, (H, W, 3) uint8 BGR, and its kind: "real", "noise only" or a stress kind."""

    kind: str
    image: Image


def probes(real: Sequence[Image], preprocess: Preprocess) -> list[Probe]:
    """``real`` images and all stress images for a model with that input.

    Without a real image blurred noise stands in, under a kind that says so.
    """
    height, width = preprocess.size
    stand_in = [] if real else [Probe(NOISE_ONLY, _blurred(height, width, sigma)) for sigma in (1, 2, 4, 8)]
    stress = [Probe(kind, pattern(kind, height, width)) for kind in PATTERNS]
    shapes = [Probe(kind, pattern("gradient", *size)) for kind, size in SHAPES.items()]
    return [Probe(REAL, image) for image in real] + stand_in + stress + shapes


def _blurred(height: int, width: int, sigma: float) -> Image:
    """Noise with structure at the scale of ``sigma`` pixels, stretched back to the full range of values."""
    blurred = cv2.GaussianBlur(pattern("noise", height, width), (0, 0), sigma)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype("uint8")  # type: ignore[call-overload, no-any-return]
