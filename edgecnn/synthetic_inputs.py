"""Synthetic test images that reveal broken exports: black, white, noise, gradient."""

from __future__ import annotations

import numpy as np

from edgecnn.types import Image

PATTERNS = ("black", "white", "noise", "gradient")


def pattern(kind: str, height: int, width: int, channels: int = 3) -> Image:
    """(height, width, channels) uint8 image of one of ``PATTERNS``, bit-identical on every machine and NumPy version.

    Raises ``ValueError`` for an unknown kind.
    """
    if kind not in PATTERNS:
        raise ValueError(f"{kind!r} is not one of the patterns {', '.join(PATTERNS)}")
    if kind == "noise":
        return _noise(height, width, channels)
    if kind == "gradient":
        return _gradient(height, width, channels)
    return np.full((height, width, channels), 255 if kind == "white" else 0, np.uint8)


def _noise(height: int, width: int, channels: int) -> Image:
    """A multiplicative hash of the index (Knuth, TAOCP 3, 6.4): NumPy's generators may change their stream between versions."""
    mixed = np.arange(height * width * channels, dtype=np.uint32) * np.uint32(2654435761)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(2246822519)
    noise: Image = (mixed >> np.uint32(24)).astype(np.uint8).reshape(height, width, channels)
    return noise


def _gradient(height: int, width: int, channels: int) -> Image:
    """A different direction in each channel, so that swapped channels or axes are visible."""
    x = np.arange(width, dtype=np.int64)[None, :] * 255 // max(width - 1, 1)
    y = np.arange(height, dtype=np.int64)[:, None] * 255 // max(height - 1, 1)
    planes = (x + 0 * y, 0 * x + y, (2 * (255 - x) + y) // 3)
    image: Image = np.stack(planes[:channels], axis=-1).astype(np.uint8)
    return image
