from __future__ import annotations

import sys

import numpy as np
import pytest

from edgecnn.data import Boxes
from edgecnn.data.moved_boxes import keep_visible
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.train.augment import Augmenter, concatenate, mosaic, resize
from edgecnn.train.augment_policy import LIMITS, NAMES, AugmentPolicy, parse_policy
from edgecnn.types import Float32, Image

SIZE = (64, 96)


def picture(left: int = 20, top: int = 10) -> tuple[Image, Boxes]:
    """A white ellipse of 30 x 20 on black, and its box."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = ((x + 0.5 - left - 15) / 15) ** 2 + ((y + 0.5 - top - 10) / 10) ** 2 <= 1
    image = np.repeat(inside[..., None] * np.uint8(255), 3, 2)
    return image, Boxes(np.array([[left, top, left + 30, top + 20]], np.float32), np.array([1], np.int64))


def white(image: Image) -> Float32:
    """The box around all white pixels."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(AugmentPolicy(flip=1.0), id="flip"),
        pytest.param(AugmentPolicy(flip_vertical=1.0), id="flip-vertical"),
        pytest.param(AugmentPolicy(shift=0.2), id="shift"),
        pytest.param(AugmentPolicy(scale=0.5, shift=0.1), id="scale"),
        pytest.param(AugmentPolicy(rotate=180), id="rotate"),
        pytest.param(AugmentPolicy(crop=0.5), id="crop"),
        pytest.param(AugmentPolicy(flip=0.5, shift=0.1, scale=0.5, rotate=30, crop=0.3), id="all"),
    ],
)
def test_box_stays_on_its_object(policy: AugmentPolicy, seed: int) -> None:
    changed, moved = Augmenter(policy, SIZE, 3).with_boxes(*picture(), seed)
    assert changed.shape == (*SIZE, 3)
    if changed.max() < 128:
        assert not len(moved)
    elif moved.crowd is not None and not moved.crowd[0]:
        cut = (white(changed) == [0, 0, SIZE[1], SIZE[0]]) | (moved.xyxy[0] == [0, 0, SIZE[1], SIZE[0]])
        assert np.abs(moved.xyxy[0] - white(changed))[~cut].max(initial=0) <= 1.5


def test_changes_of_one_image_are_drawn_independently() -> None:
    augmenter = Augmenter(AugmentPolicy(flip=0.5, flip_vertical=0.5), (2, 2), 1)
    corner = np.array([[[255], [0]], [[0], [0]]], np.uint8)
    places = [int(augmenter.image(corner, seed).argmax()) for seed in range(400)]
    counts = np.bincount(places, minlength=4)
    assert counts.min() > 60, f"each of the four corners is as likely: {counts}"


@pytest.mark.parametrize("task", ["classify", "detect"])
@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_pictures(name: str, task: str) -> None:
    image, boxes = picture()
    first, second = (Augmenter(parse_policy(name, task), SIZE, 3) for _ in range(2))
    second.with_boxes(image, boxes, 3)  # what came before does not matter
    (a, moved_a), (b, moved_b) = (augmenter.with_boxes(image, boxes, 7) for augmenter in (first, second))
    assert np.array_equal(a, b)
    assert np.array_equal(moved_a.xyxy, moved_b.xyxy)


def test_other_seeds_give_other_pictures() -> None:
    augmenter = Augmenter(parse_policy("strong", "classify"), SIZE, 3)
    assert len({augmenter.image(picture()[0], seed).tobytes() for seed in range(8)}) > 5


@pytest.mark.parametrize("change", ["brightness", "gamma", "color", "blur", "sharpen", "noise", "erase"])
def test_appearance_leaves_boxes_where_they_are(change: str) -> None:
    augmenter = Augmenter(AugmentPolicy(**{change: 1.0}), SIZE, 3)
    coloured = np.clip(picture()[0] // 2 + np.array([20, 60, 110], np.uint8), 0, 255).astype(np.uint8)
    changed = [augmenter.with_boxes(coloured, picture()[1], seed) for seed in range(6)]
    assert any(not np.array_equal(image, coloured) for image, _ in changed)
    assert all(np.allclose(boxes.xyxy, picture()[1].xyxy) for _, boxes in changed)


@pytest.mark.parametrize("name", NAMES)
def test_gray_images_keep_their_one_channel(name: str) -> None:
    image = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28, 1)
    changed = Augmenter(parse_policy(name, "classify"), (28, 28), 1).image(image, 1)
    assert changed.shape == (28, 28, 1)
    assert changed.dtype == np.uint8


def test_without_a_change_nothing_changes() -> None:
    image, boxes = picture()
    same, unmoved = Augmenter(AugmentPolicy(), SIZE, 3).with_boxes(image, boxes, 1)
    assert np.array_equal(same, image)
    assert np.array_equal(unmoved.xyxy, boxes.xyxy)


def test_without_albumentations_one_line_and_none_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(MissingExtraError, match=r"albumentations.*edgecnn\[train\]"):
        Augmenter(parse_policy("light", "classify"), SIZE, 3)
    assert np.array_equal(Augmenter(AugmentPolicy(), SIZE, 3).image(picture()[0], 1), picture()[0])


def test_object_mostly_cut_off_becomes_crowd() -> None:
    boxes = Boxes(np.zeros((3, 4), np.float32), np.array([0, 1, 2], np.int64))
    places = np.array([[-40, 10, 10, 30], [20, 10, 50, 30], [-50, 0, -5, 30]], np.float32)
    left = keep_visible(boxes, places, SIZE)
    assert left.class_id.tolist() == [0, 1]
    assert left.crowd is not None
    assert left.crowd.tolist() == [True, False]
    assert left.xyxy[0].tolist() == [0, 10, 10, 30]


def test_images_without_objects_stay_without() -> None:
    empty = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    _, boxes = Augmenter(parse_policy("strong", "detect"), SIZE, 3).with_boxes(picture()[0], empty, 1)
    assert boxes.xyxy.shape == (0, 4)


def test_resize_moves_edges_not_centres() -> None:
    image, boxes = resize(*picture(), (32, 48))
    assert image.shape == (32, 48, 3)
    assert boxes.xyxy.tolist() == [[10, 5, 25, 15]]


@pytest.mark.parametrize("seed", range(6))
def test_mosaic_shows_four_images_with_their_boxes(seed: int) -> None:
    parts = [picture(left, top) for left, top in ((30, 20), (10, 20), (30, 10), (10, 10))]
    canvas, boxes = mosaic(parts, np.random.default_rng(seed), 0)
    assert boxes.crowd is not None
    seen = boxes.xyxy[~boxes.crowd]
    assert canvas.shape == (*SIZE, 3)
    assert len(boxes) >= 3
    assert len(seen) >= 2
    for left, top, right, bottom in seen.round().astype(int):
        part = canvas[top:bottom, left:right]
        assert 0.6 < (part > 127).mean() < 0.98  # an ellipse, or what is left of it, never fills its box
    outside = canvas.copy()
    for left, top, right, bottom in np.stack([np.floor(boxes.xyxy[:, i]) + (i > 1) for i in range(4)], 1).astype(int):
        outside[top:bottom, left:right] = 0
    assert (outside > 127).mean() < 0.002


def test_joined_boxes_keep_their_crowd_flags() -> None:
    a, b = picture()[1], picture(5, 5)[1]
    crowd = Boxes(b.xyxy, b.class_id, None, np.array([True]))
    joined = concatenate([a, crowd])
    assert joined.crowd is not None
    assert joined.crowd.tolist() == [False, True]


def test_a_policy_is_a_name_and_changes_of_it() -> None:
    policy = parse_policy("strong?rotate=30&erase=0", "classify")
    assert (policy.rotate, policy.erase) == (30, 0)
    assert policy.mixup == parse_policy("strong", "classify").mixup
    assert "erase" not in policy.record()
    assert policy.record()["rotate"] == 30
    assert parse_policy("standard", "detect", flip=False).flip == 0
    assert set(policy.flips_only().record()) == {"flip"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("heavy", "'heavy' is not a policy; use one of none, light, standard, strong", id="name"),
        pytest.param("light?turn=3", "'turn' is not a parameter; use one of flip", id="parameter"),
        pytest.param("light?rotate=lots", "not a value for rotate; give a number of 0..180", id="no-number"),
        pytest.param("light?flip=2", "not a value for flip; give a number of 0..1", id="chance"),
        pytest.param("light?crop=1", f"not a value for crop; give a number of 0..{LIMITS['crop']}", id="range"),
    ],
)
def test_a_bad_policy_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match="--augment: ") as caught:
        parse_policy(text, "classify")
    assert message in str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mosaic_leaves_out_the_bars_of_letterboxed_images(channels: int) -> None:
    pad, shape = 114, (96, 128, channels)
    parts = []
    for index in range(4):
        image = np.full(shape, pad, np.uint8)
        image[30:66] = 10 + index  # bars above and below
        parts.append((image, Boxes(np.array([[4, 34, 60, 60]], np.float32), np.array([0]))))
    for seed in range(8):
        canvas, _ = mosaic(parts, np.random.default_rng(seed), pad)
        assert (canvas == pad).all(2).mean() < 0.35  # with the bars more than half
        assert set(range(10, 14)) <= set(np.unique(canvas).tolist())
