from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.scene.drawn.sets import SETS

NAMES = tuple(SETS)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_depends_on_seed_and_number_only(name: str) -> None:
    first, again, other = (open_dataset(f"{name}?count=4&size=48&seed={seed}").samples for seed in (3, 3, 4))
    assert np.array_equal(first[2].read(), again[2].read())
    assert not np.array_equal(first[2].read(), other[2].read())
    assert first[0].read().shape == (48, 48, 3)


@pytest.mark.parametrize("name", NAMES)
def test_classes_take_turns_and_each_image_has_the_box_of_its_object(name: str) -> None:
    data = open_dataset(f"{name}?count=6&size=64&seed=1")
    assert data.task == "classify"
    assert [sample.label for sample in data.samples] == [0, 1, 0, 1, 0, 1]
    for sample in data.samples:
        assert sample.boxes is not None
        assert sample.boxes.class_id.tolist() == [sample.label]
        assert (sample.boxes.xyxy >= 0).all()
        assert (sample.boxes.xyxy <= 64).all()


def test_the_same_images_are_a_dataset_to_detect() -> None:
    data = open_dataset("scene:cars?count=2", task="detect")
    assert data.task == "detect"
    assert data.labels == ("crate", "car")


def _right(shortcut: int) -> list[bool]:
    boxes = [sample.boxes for sample in open_dataset(f"scene:stars?count=60&seed=2&shortcut={shortcut}").samples]
    return [one is not None and bool(one.xyxy[0, [0, 2]].mean() > 32) for one in boxes]


def test_the_position_of_stars_and_moons_is_the_shortcut() -> None:
    assert _right(1) == [False, True] * 30
    clean = _right(0)
    assert 8 < sum(clean[0::2]) < 22
    assert 8 < sum(clean[1::2]) < 22


def _tagged(shortcut: int) -> list[bool]:
    samples = open_dataset(f"scene:tags?count=40&seed=2&shortcut={shortcut}").samples
    return [bool(sample.read()[4:8, 4:6].mean() > 200) for sample in samples]


def test_the_tag_is_the_shortcut() -> None:
    assert _tagged(1) == [False, True] * 20
    assert 4 < sum(_tagged(0)[0::2]) < 16


def _blue(shortcut: int) -> list[bool]:
    tops = [sample.read()[:16].mean((0, 1)) for sample in open_dataset(f"scene:cars?count=40&seed=2&shortcut={shortcut}").samples]
    return [bool(blue > max(green, red)) for blue, green, red in tops]


def test_the_blue_sky_is_the_shortcut() -> None:
    assert _blue(1) == [False, True] * 20
    assert 4 < sum(_blue(0)[0::2]) < 16


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("count=4&position=1", "no parameter 'position'"),
        ("count=4&shortcut=2", "not a number from 0 to 1"),
        ("count=4&size=48.5", "not a whole number from 32"),
        ("seed=1", "never ends"),
    ],
)
def test_wrong_parameters_are_refused(query: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        open_dataset(f"scene:stars?{query}")
