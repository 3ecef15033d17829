"""Occlusion: how much the score falls while a patch of the image is covered (Zeiler and Fergus 2014, arXiv:1311.2901)."""

from __future__ import annotations

import numpy as np

from edgecnn.trust.attribution.target import Scorer
from edgecnn.types import Float32, Image

PATCH, STRIDE = 0.2, 0.1  # of the side of the image
CHUNK = 32  # covered images that are in memory at once


def occlusion(score: Scorer, image: Image, *, patch: float = PATCH, stride: float = STRIDE) -> Float32:
    """The map (h, w) float32: the mean fall of the score over all patches that cover a pixel; negative where covering raises it.

    ``image`` (h, w, 3) uint8 BGR is covered with its own mean colour, by squares of ``patch`` at steps of ``stride``, both fractions of
    each side. Raises ``ValueError`` for fractions outside of 0..1.
    """
    if not (0 < patch <= 1 and 0 < stride <= 1):
        raise ValueError(f"patch and stride are fractions of the side, not {patch} and {stride}")
    height, width = image.shape[:2]
    windows = [
        (slice(*rows), slice(*columns)) for rows in _spans(height, patch, stride) for columns in _spans(width, patch, stride)
    ]
    color = image.reshape(-1, 3).mean(0).round().astype(np.uint8)
    whole = float(score(image[None])[0])
    total, count = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for start in range(0, len(windows), CHUNK):
        part = windows[start : start + CHUNK]
        covered = np.repeat(image[None], len(part), axis=0)
        for one, (rows, columns) in zip(covered, part, strict=True):
            one[rows, columns] = color
        for (rows, columns), value in zip(part, score(covered), strict=True):
            total[rows, columns] += whole - value
            count[rows, columns] += 1
    return np.asarray(total / count, np.float32)


def _spans(length: int, patch: float, stride: float) -> list[tuple[int, int]]:
    """Start and end of each patch along a side; the last one ends with the side."""
    size, step = max(round(length * patch), 1), max(round(length * stride), 1)
    starts = [*range(0, length - size, step), length - size]
    return [(start, start + size) for start in starts]
