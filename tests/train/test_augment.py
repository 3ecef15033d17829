from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes
from edgecnn.train.augment import Jitter, shift, warp
from edgecnn.types import Float32, Image

STILL = Jitter(crop=0.0, gain=0.0, tint=0.0, gamma=0.0)


def picture() -> tuple[Image, Boxes]:
    """A white rectangle on black, and its box."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[10:30, 20:50] = 255
    return image, Boxes(np.array([[20, 10, 50, 30]], np.float32), np.array([1], np.int64))


def white(image: Image) -> Float32:
    """The box around all white pixels."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size", [pytest.param((64, 96), id="same-size"), pytest.param((32, 64), id="coarse")])
def test_box_stays_on_its_object(seed: int, size: tuple[int, int]) -> None:
    image, boxes = picture()
    changed, moved = warp(image, boxes, size, rng(seed), True, 0, Jitter(gain=0.0, tint=0.0, gamma=0.0))
    assert changed.shape == (*size, 3)
    if len(moved):
        assert np.abs(moved.xyxy[0] - white(changed)).max() <= 1.0
    else:
        assert changed.max() == 0


def test_without_a_generator_only_the_size_changes() -> None:
    image, boxes = picture()
    same, unmoved = warp(image, boxes, (64, 96), None, True, 114, Jitter())
    assert np.array_equal(same, image)
    assert np.array_equal(unmoved.xyxy, boxes.xyxy)
    _, half = warp(image, boxes, (32, 48), None, True, 114, Jitter())
    assert half.xyxy.tolist() == [[10, 5, 25, 15]]


def test_equal_generators_give_equal_pictures() -> None:
    image, boxes = picture()
    (first, a), (second, b) = (warp(image, boxes, (64, 96), rng(7), True, 114, Jitter()) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(a.xyxy, b.xyxy)


def test_object_mostly_cut_off_becomes_crowd() -> None:
    image, _ = picture()
    boxes = Boxes(np.array([[-40, 10, 10, 30], [20, 10, 50, 30], [-50, 0, -5, 30]], np.float32), np.array([0, 1, 2], np.int64))
    _, moved = warp(image, boxes, (32, 48), None, False, 0, STILL)
    assert moved.class_id.tolist() == [0, 1]
    assert moved.crowd is not None
    assert moved.crowd.tolist() == [True, False]


def test_crowd_stays_crowd() -> None:
    image, boxes = picture()
    crowd = Boxes(boxes.xyxy, boxes.class_id, None, np.array([True]))
    _, moved = warp(image, crowd, (32, 48), None, False, 0, STILL)
    assert moved.crowd is not None
    assert moved.crowd.all()


def test_colours_change_and_boxes_do_not() -> None:
    image, boxes = picture()
    image[...] = image // 2 + 40
    changed, moved = warp(image, boxes, (64, 96), rng(1), False, 114, Jitter(crop=0.0))
    assert not np.array_equal(changed, image)
    assert np.array_equal(moved.xyxy, boxes.xyxy)


@pytest.mark.parametrize("seed", range(6))
def test_shift_moves_by_two_pixels_at_most(seed: int) -> None:
    image = np.zeros((28, 28, 1), np.uint8)
    image[10:18, 12:16] = 255
    moved = shift(image, rng(seed), flip=False)
    assert np.abs(white(moved) - white(image)).max() <= 2
    assert (white(moved)[2:] - white(moved)[:2]).tolist() == [4, 8]


def test_flip_can_be_left_out() -> None:
    image = np.zeros((28, 28, 1), np.uint8)
    image[:, :14] = 255
    left = [shift(image, rng(seed), flip=False)[14, 8, 0] for seed in range(20)]
    both = [shift(image, rng(seed), flip=True)[14, 8, 0] for seed in range(20)]
    assert set(left) == {255}
    assert set(both) == {0, 255}
