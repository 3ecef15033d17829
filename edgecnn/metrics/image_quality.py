"""Computes how close a restored picture is to the original: PSNR and SSIM of 8-bit images."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from edgecnn.metrics.left_out import left_out
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Image

PEAK = 255.0
IDENTICAL_DB = 100.0  # of two equal pictures, whose ratio is infinite
WINDOW, SIGMA = 11, 1.5  # pixels, of the Gaussian window of SSIM
K1, K2 = 0.01, 0.03


@dataclass(slots=True)
class QualityAccumulator:
    """Accumulates restored, original and degraded pictures one by one."""

    _rows: list[tuple[float, float, float, float]] = field(default_factory=list)

    def add(self, restored: Image, original: Image, degraded: Image) -> None:
        """Add one picture; all three (H, W, 3) uint8 BGR of one size, ``degraded`` enlarged to it where it was smaller."""
        self._rows.append((*quality(restored, original), *quality(degraded, original)))

    def score(self, notes: tuple[str, ...]) -> Score:
        """The means over all pictures added."""
        names = ("psnr", "ssim", "psnr_input", "ssim_input")
        rows = np.array(self._rows)
        return Score(
            task="restore",
            n=len(rows),
            labels=(),
            values=dict(zip(names, rows.mean(0).tolist(), strict=True)),
            per_class={},
            support={},
            notes=notes,
            metric="psnr",
            left_out=left_out(len(rows), lambda kept: rows[kept, 0].mean()),
        )


def quality(picture: Image, original: Image) -> tuple[float, float]:
    """PSNR in dB and SSIM of a picture."""
    return psnr(picture, original), ssim(picture, original)


def psnr(picture: Image, original: Image) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255² / mean squared error), over all channels and the whole picture.

    Equal pictures, and any above it, give 100 dB. Raises ``ValueError`` for pictures of different shapes.
    """
    _check_shapes(picture, original)
    error = float(((picture.astype(np.float64) - original) ** 2).mean())
    return IDENTICAL_DB if error == 0 else min(float(10 * np.log10(PEAK**2 / error)), IDENTICAL_DB)


def ssim(picture: Image, original: Image) -> float:
    """Structural similarity of the luma (ITU-R BT.601) of two pictures, -1..1: Wang et al. 2004, doi:10.1109/TIP.2003.819861.

    Gaussian window of 11 x 11 pixels with sigma 1.5, K1 = .01, K2 = .03, the mean over all windows that lie inside the picture.
    Raises ``ValueError`` for pictures of different shapes, or smaller than a window.
    """
    _check_shapes(picture, original)
    if min(picture.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {WINDOW} pixels a side, not {picture.shape[:2]}")
    a, b = _luma(picture), _luma(original)
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((numerator / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _luma(image: Image) -> Array:
    return np.asarray(image.astype(np.float64) @ np.array([0.114, 0.587, 0.299]))


def _blurred(plane: Array) -> Array:
    """The Gaussian mean in each window that lies inside."""
    border = WINDOW // 2
    whole: Array = cv2.GaussianBlur(plane, (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_REFLECT)
    return whole[border:-border, border:-border]


def _check_shapes(picture: Image, original: Image) -> None:
    if picture.shape != original.shape:
        raise ValueError(f"pictures of {picture.shape} and {original.shape} can't be compared")
