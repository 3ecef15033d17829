"""Each transformation does what its level says, and moves the truth with the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.card import SignalInput
from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.trust.invariance.catalogue import TRANSFORMATIONS, find_transformation, parse_transformations
from edgecnn.trust.invariance.dataset import kept_in_memory, transformed
from edgecnn.trust.invariance.geometry import move_image, rotation, shift, zoom
from edgecnn.types import NO_CLASS, Image

SIZE = (60, 80)
RANDOM = np.random.default_rng(0)
IMAGE_CHANGES = [name for name, own in TRANSFORMATIONS.items() if own.group != "scene"]


def picture() -> Image:
    """A smooth image with a bright rectangle at (20, 10) to (40, 30)."""
    image = np.full((*SIZE, 3), (40, 60, 80), np.uint8)
    image[10:30, 20:40] = (200, 180, 160)
    return image


def with_box(*, mask: bool = False) -> Dataset:
    boxes = Boxes(np.array([[20, 10, 40, 30]], np.float32), np.zeros(1, np.int64), area=np.array([400], np.float32))
    truth = np.zeros(SIZE, np.uint8)
    truth[10:30, 20:40] = 1
    points = np.array([[[20, 10, 2], [40, 30, 1], [0, 0, 0]]], np.float32)
    sample = Sample("a", picture, boxes=boxes, mask=(lambda: truth) if mask else None, points=points)
    return Dataset("boxes", "detect", ("instance",), [sample])


def bright_box(image: Image) -> list[int]:
    rows, columns = np.nonzero(image[..., 0] > 120)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_quarter_turns_of_a_square_move_whole_pixels(degrees: float, turns: int) -> None:
    image = np.random.default_rng(1).integers(0, 255, (31, 31, 3)).astype(np.uint8)
    assert np.array_equal(move_image(image, rotation((31, 31), degrees, RANDOM)), np.rot90(image, turns))


def test_a_shift_moves_whole_pixels() -> None:
    image = np.random.default_rng(1).integers(1, 255, (20, 30, 3)).astype(np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 7
    matrix = shift((20, 30), 3, np.random.default_rng(2))
    across, down = matrix[:, 2].astype(int)
    assert (abs(across), abs(down)) == (3, 3)
    wide = np.pad(image, ((3, 3), (3, 3), (0, 0)), constant_values=7)
    assert np.array_equal(move_image(image, matrix), wide[3 - down : 23 - down, 3 - across : 33 - across])
    assert (move_image(image, shift((20, 30), 33, RANDOM)) == 7).all()


@pytest.mark.parametrize("factor", [0.5, 0.73, 1.5])
def test_boxes_follow_the_scale(factor: float) -> None:
    sample = transformed(with_box(), find_transformation("scale"), factor).samples[0]
    assert sample.boxes is not None
    assert sample.boxes.area is not None
    assert np.abs(np.array(bright_box(sample.read())) - sample.boxes.xyxy[0]).max() <= 1
    assert sample.boxes.area[0] == pytest.approx(400 * factor**2, rel=0.05)
    assert zoom(SIZE, factor, RANDOM)[0, 0] == pytest.approx(factor, abs=0.02)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_boxes_masks_and_points_follow_the_rotation(degrees: float) -> None:
    sample = transformed(with_box(mask=True), find_transformation("rotate"), degrees).samples[0]
    assert sample.boxes is not None
    assert sample.mask is not None
    assert sample.points is not None
    seen = bright_box(sample.read())
    assert sample.boxes.xyxy[0].tolist() == pytest.approx(seen, abs=1e-3)
    rows, columns = np.nonzero(sample.mask() == 1)
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == pytest.approx(seen, abs=1)
    corners = {tuple(point) for point in sample.points[0, :2, :2].round(3).tolist()}
    assert corners <= {(x, y) for x in (seen[0], seen[2]) for y in (seen[1], seen[3])}
    assert sample.points[0, 2].tolist() == [0, 0, 0]


def test_an_object_that_leaves_the_image_is_not_looked_for() -> None:
    sample = transformed(with_box(), find_transformation("scale"), 4).samples[0]
    assert sample.boxes is not None
    assert len(sample.boxes) == 1
    assert sample.boxes.crowd is not None
    assert sample.boxes.crowd[0]
    mask = transformed(with_box(mask=True), find_transformation("scale"), 0.5).samples[0].mask
    assert mask is not None
    assert mask()[0, 0] == NO_CLASS


@pytest.mark.parametrize("name", IMAGE_CHANGES)
@pytest.mark.parametrize("shape", [(60, 80), (9, 7), (28, 28)])
def test_every_change_works_on_any_size_is_reproducible_and_depends_on_the_seed_alone(name: str, shape: tuple[int, int]) -> None:
    image = cv2.resize(picture(), shape[::-1])
    dataset = Dataset("classes", "classify", ("a",), [Sample("x", lambda: image, label=0), Sample("y", lambda: image, label=0)])
    own = find_transformation(name)
    level = own.levels[-1]
    first, again = (transformed(dataset, own, level, seed=3).samples[0].read() for _ in range(2))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, image) or min(shape) < 10
    if name in ("noise", "impulse", "fog", "rain"):
        assert not np.array_equal(first, transformed(dataset, own, level, seed=4).samples[0].read())
        assert not np.array_equal(first, transformed(dataset, own, level, seed=3).samples[1].read())


@pytest.mark.parametrize("name", ["occlude", "contrast", "jpeg", "noise", "impulse", "defocus", "motion", "fog", "rain"])
def test_a_higher_level_changes_more(name: str) -> None:
    own = find_transformation(name)
    image = np.random.default_rng(5).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    image = cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    dataset = Dataset("classes", "classify", ("a",), [Sample("x", lambda: image, label=0)])
    ends = (own.levels[0], own.levels[-1])
    change = [np.abs(transformed(dataset, own, level).samples[0].read().astype(int) - image).mean() for level in ends]
    assert change[0] < change[1]


def test_occlusion_covers_the_share_of_each_box() -> None:
    sample = transformed(with_box(), find_transformation("occlude"), 0.25).samples[0]
    covered = (sample.read() == 128).all(2)
    assert covered.sum() == 100
    assert covered[10:30, 20:40].sum() == 100


def test_noise_of_a_grey_image_stays_grey() -> None:
    image = np.full((20, 20, 3), 90, np.uint8)
    dataset = Dataset("classes", "classify", ("a",), [Sample("x", lambda: image, label=0)])
    for name in ("noise", "impulse"):
        changed = transformed(dataset, find_transformation(name), 5).samples[0].read()
        assert np.array_equal(changed[..., 0], changed[..., 2])
        assert changed.std() > 0


@pytest.mark.parametrize("level", [-0.3, -0.1, 0.2, 0.5])
def test_brightness_changes_the_value_and_keeps_the_hue(level: float) -> None:
    image = np.random.default_rng(3).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    image[0, 0] = 0
    dataset = Dataset("classes", "classify", ("a",), [Sample("x", lambda: image, label=0)])
    changed = transformed(dataset, find_transformation("brightness"), level).samples[0].read()
    before, after = (cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_BGR2HSV) for one in (image, changed))
    assert np.abs(after[..., 2] - np.clip(before[..., 2] + level, 0, 1)).max() < 0.003
    bright = (after[..., 2] > 0.4) & (before[..., 1] > 0.4) & (before[..., 2] > 0.2)
    turned = np.abs(after[..., 0] - before[..., 0])[bright]
    assert np.minimum(turned, 360 - turned).max() < 2
    assert changed[0, 0].tolist() == [max(round(255 * level), 0)] * 3


def test_contrast_keeps_the_mean_and_shrinks_the_deviation() -> None:
    image = np.random.default_rng(3).integers(60, 200, (40, 40, 3)).astype(np.uint8)
    dataset = Dataset("classes", "classify", ("a",), [Sample("x", lambda: image, label=0)])
    changed = transformed(dataset, find_transformation("contrast"), 0.3).samples[0].read()
    assert np.abs(changed.mean((0, 1)) - image.mean((0, 1))).max() < 0.5
    assert changed.std((0, 1)) == pytest.approx(0.3 * image.std((0, 1)), rel=0.03)


def test_a_missing_channel_is_black() -> None:
    sample = transformed(with_box(), find_transformation("channel"), 1).samples[0]
    assert (sample.read()[..., 1] == 0).all()
    assert np.array_equal(sample.read()[..., 0], picture()[..., 0])


def test_images_are_read_once_as_long_as_they_fit() -> None:
    reads = []

    def read() -> Image:
        reads.append(1)
        return picture()

    dataset = Dataset("boxes", "classify", ("a",), [Sample("x", read, label=0), Sample("y", read, label=0)])
    kept = kept_in_memory(dataset, picture().nbytes)
    for _ in range(3):
        for sample in kept.samples:
            sample.read()
    assert len(reads) == 1 + 3


def test_levels_are_numbers_or_ranges() -> None:
    chosen = {own.name: levels for own, levels in parse_transformations(["compact", "rotate=0:90:30", "shift=2,4"], scene=False)}
    assert chosen["rotate"] == (0, 30, 60, 90)
    assert chosen["shift"] == (2, 4)
    assert chosen["jpeg"] == (50,)
    assert "turn" not in {own.name for own, _ in parse_transformations(["all"], scene=False)}
    assert "turn" in {own.name for own, _ in parse_transformations(["all"], scene=True)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rotat", r"'rotat' is not a transformation; use one of rotate, shift, .*, or all, compact"),
        ("jpeg=x", r"'x' are no levels of jpeg; give numbers"),
        ("jpeg=0", r"jpeg has no level 0; use 1 to 100 \(quality\)"),
        ("channel=7", r"channel has no level 7; use 0 \(no blue\)"),
        ("rotate=0:9:0", r"no levels of rotate"),
        ("compact,jpeg=5", r"gives levels to several transformations"),
        (" ", r"no transformation is named"),
    ],
)
def test_wrong_words_are_one_line(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_transformations([words], scene=False)


@pytest.mark.parametrize(("task", "truth"), [("regress", {"value": 1.0}), ("restore", {}), ("signal", {"label": 0})])
def test_tasks_that_a_transformation_does_not_fit_are_refused(task: str, truth: dict[str, float]) -> None:
    signal = SignalInput(rate_hz=100.0, hop=1, channels=("x",)) if task == "signal" else None
    dataset = Dataset("d", task, ("a",), [Sample("x", picture, **truth)], signal=signal)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"value itself|can't be transformed"):
        transformed(dataset, find_transformation("rotate"), 15)
    if task == "regress":
        assert transformed(dataset, find_transformation("jpeg"), 50).samples[0].read().shape == (*SIZE, 3)
