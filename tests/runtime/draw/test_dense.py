"""Drawings of masks and key points."""

from __future__ import annotations

import numpy as np

from edgecnn.runtime.draw.captions import class_color
from edgecnn.runtime.draw.painter import draw
from edgecnn.types import Mask, Poses

GREY = np.full((320, 400, 3), 100, np.uint8)


def test_classes_are_transparent_and_the_background_stays() -> None:
    ids = np.zeros((320, 400), np.uint8)
    ids[200:, 300:] = 2
    ids[:50, 350:] = 255
    shown = draw(GREY, Mask(ids), ("background", "cup", "plate"))
    expected = np.rint((100 + np.array(class_color(2))) / 2)
    assert np.abs(shown[250, 350].astype(int) - expected).max() <= 1
    assert (shown[100:199, 200:] == 100).all()
    assert (shown[:50, 350:] == 100).all()
    # the legend
    assert (shown[:20, :20] != 100).any()


def test_a_mask_of_background_alone_changes_nothing() -> None:
    assert (draw(GREY, Mask(np.zeros((320, 400), np.uint8)), ("__background__", "cup")) == GREY).all()


def test_key_points_and_their_lines_are_drawn_but_uncertain_ones_are_not() -> None:
    points = np.float32([[[100, 100, 0.9], [200, 100, 0.9], [100, 250, 0.01], [np.nan, 9e9, 0.9]]])
    poses = Poses(points, np.float32([0.8]), np.float32([[90, 90, 210, 110]]), ((0, 1), (0, 2), (1, 3)))
    shown = draw(GREY, poses, ("a", "b", "c", "d"), captions=False)
    assert tuple(shown[100, 100]) == class_color(0)
    assert tuple(shown[100, 200]) == class_color(1)
    assert (shown[100, 150] > 200).all()
    assert (shown[200:] == 100).all()
