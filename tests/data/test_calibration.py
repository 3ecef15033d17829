from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample, open_dataset
from edgecnn.data.calibration import CalibrationSet, luma, pick_calibration
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def sample(number: int, label: int | None = None, classes: tuple[int, ...] | None = None, level: int | None = None) -> Sample:
    """An image of one grey level, different from all others."""
    pixels = np.full((16, 16, 3), number % 256 if level is None else level, np.uint8)
    pixels[0, 0] = number // 256, number % 256, 7
    boxes = None if classes is None else Boxes(np.tile(np.float32([0, 0, 1, 1]), (len(classes), 1)), np.array(classes, np.int64))
    return Sample(str(number), lambda: pixels, label=label, boxes=boxes)


def labelled(labels: list[int], first: int = 0) -> Dataset:
    samples = [sample(number, label) for number, label in enumerate(labels, first)]
    return Dataset("small", "classify", ("a", "b"), samples, split="train")


def labels_of(chosen: CalibrationSet) -> Counter[int | None]:
    return Counter(one.label for one in chosen.samples)


def test_classes_are_taken_evenly() -> None:
    assert labels_of(pick_calibration(labelled([0] * 270 + [1] * 50), 80)) == {0: 40, 1: 40}


def test_a_class_that_runs_out_leaves_its_place_to_others() -> None:
    assert labels_of(pick_calibration(labelled([0] * 197 + [1] * 3), 80)) == {0: 77, 1: 3}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dark_middle_and_bright_images_of_each_class_are_taken_evenly(seed: int) -> None:
    """Of 240 grey levels in any order 22 are of each third; class 1 has other levels than class 0."""
    levels = np.random.default_rng(0).permutation(120)
    samples = [
        sample(2 * number + label, label, level=int(level) + 120 * label)
        for number, level in enumerate(levels)
        for label in (0, 1)
    ]
    chosen = pick_calibration(Dataset("small", "classify", ("a", "b"), samples), 132, seed).samples
    assert np.histogram([one.read()[1, 1, 0] for one in chosen], bins=np.arange(0, 241, 40))[0].tolist() == [22] * 6


def test_images_with_a_rare_box_are_there() -> None:
    samples = [sample(number, classes=(0, 1) if number % 20 == 0 else (0,)) for number in range(400)]
    chosen = pick_calibration(Dataset("boxes", "detect", ("a", "b"), samples), 64)
    assert sum(1 in one.boxes.class_id for one in chosen.samples if one.boxes) == 20
    assert chosen.record["classes"] == {"a": 64, "b": 20}


def test_the_seed_decides() -> None:
    dataset = labelled([0, 1] * 150)
    names = [[one.name for one in pick_calibration(dataset, 64, seed).samples] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 64


@pytest.mark.parametrize(("there", "asked"), [pytest.param(63, 100, id="63 there"), pytest.param(100, 63, id="63 asked for")])
def test_too_few_images_are_refused_unless_forced(there: int, asked: int) -> None:
    with pytest.raises(InputError, match=r"at least 64 images, but there are 63 of small; .*--force-calibration"):
        pick_calibration(labelled([0] * there), asked)
    assert len(pick_calibration(labelled([0] * there), asked, force=True).samples) == 63


def test_what_is_held_out_does_not_calibrate() -> None:
    """By content: the names are others."""
    dataset = labelled([0, 1] * 50)
    held_out = [Sample(f"test {number}", sample(number).read, label=0) for number in range(0, 30)]
    chosen = pick_calibration(dataset, 64, apart_from=(Dataset("held", "classify", ("a", "b"), held_out, split="test"),))
    assert all(int(one.name) >= 30 for one in chosen.samples)
    assert chosen.record["apart_from"] == [{"dataset": "held", "split": "test", "images": 30}]
    assert chosen.record["left_out"] == 30


def test_where_all_is_held_out_it_says_so() -> None:
    dataset = labelled([0, 1] * 50)
    with pytest.raises(InputError, match=r"there are 0 of small \(100 others are in small too\)"):
        pick_calibration(dataset, 64, apart_from=(dataset,))


def test_copies_count_once() -> None:
    dataset = labelled([0] * 70)
    twice = Dataset("small", "classify", ("a", "b"), [*dataset.samples, *dataset.samples])
    assert len(pick_calibration(twice, 128).samples) == 70


def test_an_image_that_can_not_be_read_is_left_out(tmp_path: Path, write_image: Writer) -> None:
    for number in range(70):
        write_image(tmp_path / f"{number:02d}.png", seed=number)
    dataset = open_dataset(tmp_path)
    (tmp_path / "33.png").unlink()
    assert len(pick_calibration(dataset, 128).samples) == 69


def test_the_manifest_names_the_set_and_its_pixels() -> None:
    dataset = labelled([0, 1] * 100)
    record, other = (pick_calibration(dataset, 64, seed).record for seed in (7, 8))
    assert {key: record[key] for key in ("dataset", "split", "seed", "count", "classes", "apart_from")} == {
        "dataset": "small",
        "split": "train",
        "seed": 7,
        "count": 64,
        "classes": {"a": 32, "b": 32},
        "apart_from": [],
    }
    assert 0 <= record["brightness"][0] < 30
    assert 130 < record["brightness"][1] < 255
    assert len(record["digest"]) == 64
    assert record["digest"] != other["digest"]


def test_brightness_is_that_of_the_eye() -> None:
    assert [round(luma(np.full((2, 2, 3), color, np.uint8))) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))] == [
        29,
        150,
        76,
    ]


def test_the_scene_calibrates() -> None:
    chosen = pick_calibration(open_dataset("scene:cups?seed=1&count=8&size=96x64&every=30"), 4, force=True)
    assert len(chosen.samples) == 4
    assert sum(chosen.record["classes"].values()) >= 4
