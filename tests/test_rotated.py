"""Geometry of rotated boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.rotated import corners, enclosing, from_corners, moved, overlap, probabilistic_overlap, regular

SQUARE = np.float32([[50, 40, 20, 20, 0]])


def test_corners_go_around_the_box_and_the_angle_is_clockwise_in_the_image() -> None:
    found = corners(np.float32([[50, 40, 20, 10, np.pi / 6]]))[0]
    across = found[1] - found[0]
    assert np.linalg.norm(across) == pytest.approx(20, rel=1e-5)
    assert np.arctan2(across[1], across[0]) == pytest.approx(np.pi / 6, rel=1e-5)
    np.testing.assert_allclose(found.mean(0), [50, 40], atol=1e-4)
    np.testing.assert_allclose(enclosing(np.float32([[50, 40, 20, 10, np.pi / 2]])), [[45, 30, 55, 50]], atol=1e-4)


def test_a_box_has_one_form() -> None:
    boxes = np.float32([[9, 9, 8, 4, 0.3], [9, 9, 4, 8, 0.3 + np.pi / 2], [9, 9, 8, 4, 0.3 - np.pi]])
    np.testing.assert_allclose(regular(boxes), np.repeat(boxes[:1], 3, 0), atol=1e-5)
    np.testing.assert_allclose(from_corners(corners(boxes)), np.repeat(boxes[:1], 3, 0), atol=1e-4)


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        pytest.param([50, 40, 20, 20, 0], 1.0, id="the-same"),
        pytest.param([50, 40, 20, 20, np.pi / 2], 1.0, id="a-quarter-turn"),
        pytest.param([60, 40, 20, 20, 0], 1 / 3, id="half-beside"),
        pytest.param([50, 40, 20, 20, np.pi / 4], 0.7071, id="an-eighth-turn"),
        pytest.param([50, 40, 10, 10, 0.5], 0.25, id="inside"),
        pytest.param([70.1, 40, 20, 20, 0], 0.0, id="apart"),
        pytest.param([68, 58, 20, 20, np.pi / 4], 0.0, id="only-their-upright-boxes-meet"),
    ],
)
def test_overlap_is_that_of_the_rectangles(other: list[float], iou: float) -> None:
    found = overlap(SQUARE, np.float32([other]))
    assert found[0, 0] == pytest.approx(iou, abs=2e-3)
    far = np.float32([[20_000, 30_000, 0, 0, 0]])
    assert overlap(SQUARE + far, np.float32([other]) + far)[0, 0] == pytest.approx(iou, abs=5e-3)


def test_probabilistic_overlap() -> None:
    boxes = np.float32([[50, 40, 40, 10, 0.4], [50, 40, 40, 10, 0.4], [50, 40, 40, 10, 0.4 + np.pi / 2], [90, 40, 40, 10, 0.4]])
    found = probabilistic_overlap(boxes, boxes)
    np.testing.assert_allclose(found, found.T, atol=1e-6)
    assert found[0, 1] == pytest.approx(1, abs=1e-3)
    # two Gaussians with the same centre: 1 - sqrt(1 - sqrt(sqrt(det A det B) / det((A + B) / 2))), variances 40² / 12 and 10² / 12
    along, across = 40**2 / 12, 10**2 / 12
    assert found[0, 2] == pytest.approx(1 - np.sqrt(1 - np.sqrt(along * across) / ((along + across) / 2)), abs=1e-3)
    # 40 to the side: the Bhattacharyya distance is d' A^-1 d / 8
    squared = 40**2 * (np.cos(0.4) ** 2 / along + np.sin(0.4) ** 2 / across)
    assert found[0, 3] == pytest.approx(1 - np.sqrt(1 - np.exp(-squared / 8)), abs=1e-3)


def test_a_box_that_is_scaled_unevenly_stays_a_rectangle_around_the_result() -> None:
    turned = np.float32([[50, 40, 20, 20, np.pi / 4]])
    found = moved(turned, lambda points: points * np.float32([2, 1]))
    assert found[0, :2].tolist() == pytest.approx([100, 40], abs=1e-3)
    assert found[0, 2] * found[0, 3] >= 2 * 400 - 1


def test_nearly_equal_boxes_overlap_wholly() -> None:
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(0, 96, (60, 2)), np.tile([24, 12], (60, 1)), rng.uniform(0, 1.5, 60)]).astype(np.float32)
    assert np.diag(overlap(boxes, from_corners(corners(boxes)))).min() > 0.9999


def test_overlap_is_that_of_counted_pixels() -> None:
    rng = np.random.default_rng(1)
    boxes = np.column_stack([rng.uniform(40, 60, (6, 2)), rng.uniform(20, 50, (6, 2)), rng.uniform(0, 3, 6)]).astype(np.float32)
    scale = 8  # counted on a grid of eighths of a pixel
    masks = [
        cv2.fillConvexPoly(np.zeros((1000, 1000), np.uint8), np.rint(four * scale).astype(int), 1) > 0 for four in corners(boxes)
    ]
    counted = [[(one & other).sum() / (one | other).sum() for other in masks] for one in masks]
    np.testing.assert_allclose(overlap(boxes, boxes), counted, atol=0.02)
