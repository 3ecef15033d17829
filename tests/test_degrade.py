"""Degraded inputs of restoration models."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.degrade import Degradation, cover, degrade, enlarged, fixed_random
from edgecnn.synthetic_inputs import pattern


def test_a_block_becomes_its_mean() -> None:
    image = np.array([[0, 10], [20, 30]], np.uint8).repeat(2, 0).repeat(2, 1)[..., None].repeat(3, 2)
    assert degrade(image, Degradation(2), np.random.default_rng(0))[..., 0].tolist() == [[0, 10], [20, 30]]
    assert degrade(np.uint8([[0, 10], [20, 30]])[..., None], Degradation(2), np.random.default_rng(0)).tolist() == [[[15]]]


def test_noise_has_the_given_deviation_and_is_the_same_for_the_same_pixels() -> None:
    image = np.full((80, 80, 3), 128, np.uint8)
    noisy = degrade(image, Degradation(noise=12.0), fixed_random(image))
    assert (noisy.astype(float) - 128).std() == pytest.approx(12, rel=0.03)
    assert np.array_equal(noisy, degrade(image, Degradation(noise=12.0), fixed_random(image)))
    other = image + np.uint8(1)
    assert not np.array_equal(noisy + np.uint8(1), degrade(other, Degradation(noise=12.0), fixed_random(other)))


@pytest.mark.parametrize("size", [(10, 30), (40, 60), (64, 64)])
def test_an_image_is_cut_to_the_size_around_its_centre(size: tuple[int, int]) -> None:
    assert cover(pattern("gradient", 40, 60), size).shape == (*size, 3)


def test_the_cut_keeps_pixels_of_a_large_image() -> None:
    image = pattern("noise", 40, 60)
    assert np.array_equal(cover(image, (20, 20)), image[10:30, 20:40])


def test_enlarging_has_the_size_of_the_original() -> None:
    assert enlarged(pattern("noise", 8, 6), 2).shape == (16, 12, 3)
    image = pattern("noise", 8, 6)
    assert enlarged(image, 1) is image
