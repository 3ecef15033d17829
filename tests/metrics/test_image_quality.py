"""PSNR and SSIM against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.metrics.image_quality import QualityAccumulator, psnr, ssim
from edgecnn.synthetic_inputs import pattern
from edgecnn.types import Image


@pytest.fixture
def original() -> Image:
    return pattern("gradient", 24, 32)


def test_psnr_of_an_error_of_one_grey_level_is_48_13_db(original: Image) -> None:
    assert psnr(np.clip(original, 0, 254) + 1, np.clip(original, 0, 254)) == pytest.approx(48.1308, abs=1e-3)


def test_equal_pictures_have_the_highest_values(original: Image) -> None:
    assert psnr(original, original) == 100.0
    assert ssim(original, original) == pytest.approx(1.0)


def test_ssim_is_the_mean_over_windows_inside_the_picture() -> None:
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 256, (13, 12, 3), np.uint8) for _ in range(2))
    axis = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis) / axis.sum() ** 2
    luma = [image.astype(np.float64) @ [0.114, 0.587, 0.299] for image in (a, b)]
    found = []
    for row in range(3):
        for column in range(2):
            x, y = (plane[row : row + 11, column : column + 11] for plane in luma)
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            both = (window * (x - mx) * (y - my)).sum()
            c1, c2 = 6.5025, 58.5225
            found.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(a, b) == pytest.approx(np.mean(found), abs=1e-9)


def test_pictures_of_other_shapes_are_refused(original: Image) -> None:
    with pytest.raises(ValueError, match="can't be compared"):
        psnr(original, original[1:])
    with pytest.raises(ValueError, match="at least 11"):
        ssim(original[:8], original[:8])


def test_the_score_has_the_gain_over_the_input(original: Image) -> None:
    accumulator = QualityAccumulator()
    accumulator.add(original, original, 255 - original)
    score = accumulator.score(())
    assert score.values["psnr"] == 100.0
    assert score.values["psnr_input"] < 20
