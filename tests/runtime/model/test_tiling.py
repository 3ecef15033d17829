"""Restoring images of any size in tiles."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from edgecnn.runtime.model.tiling import in_tiles, tile_starts
from edgecnn.types import Image, Picture, Prediction

SIZE = (48, 64)


def blurred(image: Image) -> Image:
    """What a network with a receptive field of 11 pixels would do."""
    return cv2.blur(image, (11, 11), borderType=cv2.BORDER_REPLICATE).astype(np.uint8)


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("length", "tile"), [(48, 48), (49, 48), (80, 48), (81, 48), (480, 48), (1000, 120), (30, 48), (100, 5)])
def test_tiles_cover_the_length_and_overlap(length: int, tile: int) -> None:
    starts = tile_starts(length, tile)
    assert starts[0] == 0
    assert starts[-1] + tile >= length
    assert len(starts) == 1 or starts[-1] + tile == length
    assert all(second - first <= tile - 2 * min(8, (tile - 1) // 4) for first, second in itertools.pairwise(starts))


@pytest.mark.parametrize("shape", [(48, 64), (49, 64), (100, 200), (97, 131)])
def test_no_seam_is_left(shape: tuple[int, int]) -> None:
    image = noise(*shape)

    def predict(tile: Image) -> Prediction:
        assert tile.shape[:2] == SIZE
        return Picture(blurred(tile))

    found = in_tiles(image, SIZE, predict)
    assert isinstance(found, Picture)
    assert np.array_equal(found.image, blurred(image))


@pytest.mark.parametrize("shape", [(20, 30), (48, 30), (20, 100)])
def test_a_small_image_is_continued_and_cut_off_again(shape: tuple[int, int]) -> None:
    image = noise(*shape)

    def predict(tile: Image) -> Prediction:
        return Picture(tile.repeat(2, 0).repeat(2, 1))

    found = in_tiles(image, SIZE, predict)
    assert isinstance(found, Picture)
    assert np.array_equal(found.image, image.repeat(2, 0).repeat(2, 1))
