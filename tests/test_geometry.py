"""Masks and key points between source and input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.geometry import mask_to_input, mask_to_source, points_to_input, poses_to_source
from edgecnn.preprocess import geometry
from edgecnn.types import NO_CLASS, Poses

RULES = ("letterbox", "stretch", "crop")


def source_mask(height: int = 120, width: int = 200) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[30:90, 70:130] = 1
    mask[50:70, 90:150] = 2
    return mask


@pytest.mark.parametrize("resize", RULES)
def test_a_mask_comes_back_but_for_its_borders(resize: Any) -> None:
    mask = source_mask()
    place = geometry(Preprocess((64, 64), resize=resize), 200, 120)
    small = mask_to_input(mask, place, (64, 64))
    back = mask_to_source(small, place)
    assert back.shape == mask.shape
    shown = back != NO_CLASS
    assert (back == mask)[shown].mean() > 0.97
    assert shown.all() == (resize != "crop")


def test_the_border_of_a_letterbox_has_no_class() -> None:
    place = geometry(Preprocess((64, 64)), 200, 100)
    small = mask_to_input(np.ones((100, 200), np.uint8), place, (64, 64))
    assert (small[:16] == NO_CLASS).all()
    assert (small[48:] == NO_CLASS).all()
    assert (small[16:48] == 1).all()


def test_a_mask_is_not_shifted() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 1
    place = geometry(Preprocess((32, 32), resize="stretch"), 64, 64)
    small = mask_to_input(mask, place, (32, 32))
    assert np.argwhere(small).min(0).tolist() == [8, 8]
    assert np.argwhere(small).max(0).tolist() == [23, 23]
    assert (mask_to_source(small, place) == mask).mean() > 0.98


@pytest.mark.parametrize("resize", RULES)
def test_points_come_back(resize: Any) -> None:
    place = geometry(Preprocess((64, 96), resize=resize), 200, 120)
    points = np.array([[[10, 20, 0.5], [199, 119, 1.0]]], np.float32)
    moved = points_to_input(points, place)
    back = poses_to_source(Poses(moved, np.ones(1, np.float32), np.array([[1, 1, 5, 5]], np.float32)), place)
    np.testing.assert_allclose(back.points, points, atol=1e-3)
