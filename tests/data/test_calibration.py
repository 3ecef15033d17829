from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample, open_dataset
from edgecnn.data.calibration import manifest, pick_calibration
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def sample(number: int, label: int | None = None, classes: tuple[int, ...] | None = None) -> Sample:
    pixels = np.full((2, 2, 3), number, np.uint8)
    boxes = None if classes is None else Boxes(np.tile(np.float32([0, 0, 1, 1]), (len(classes), 1)), np.array(classes, np.int64))
    return Sample(str(number), lambda: pixels, label=label, boxes=boxes)


def labelled(labels: list[int]) -> Dataset:
    return Dataset("small", "classify", ("a", "b"), [sample(number, label) for number, label in enumerate(labels)], split="train")


def test_classes_are_taken_evenly() -> None:
    chosen = pick_calibration(labelled([0] * 90 + [1] * 10), 20)
    assert Counter(one.label for one in chosen) == {0: 10, 1: 10}


def test_a_class_that_runs_out_leaves_its_place_to_others() -> None:
    chosen = pick_calibration(labelled([0] * 97 + [1] * 3), 20)
    assert Counter(one.label for one in chosen) == {0: 17, 1: 3}


def test_images_with_a_rare_box_are_there() -> None:
    samples = [sample(number, classes=(0, 1) if number % 20 == 0 else (0,)) for number in range(100)]
    chosen = pick_calibration(Dataset("boxes", "detect", ("a", "b"), samples), 16)
    assert sum(1 in one.boxes.class_id for one in chosen if one.boxes) == 5


def test_the_seed_decides() -> None:
    dataset = labelled([0, 1] * 50)
    names = [[one.name for one in pick_calibration(dataset, 16, seed)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 16


@pytest.mark.parametrize(("there", "asked"), [pytest.param(3, 100, id="3 there"), pytest.param(100, 3, id="3 asked for")])
def test_too_few_images_are_refused_unless_forced(there: int, asked: int) -> None:
    with pytest.raises(InputError, match="at least 16 images to calibrate with, found 3 of small"):
        pick_calibration(labelled([0] * there), asked)
    assert len(pick_calibration(labelled([0] * there), asked, force=True)) == 3


def test_the_manifest_names_the_set_and_its_pixels() -> None:
    dataset = labelled([0, 1] * 50)
    record = manifest(pick_calibration(dataset, 16, 7), dataset, 7)
    other = manifest(pick_calibration(dataset, 16, 8), dataset, 8)
    assert {key: record[key] for key in ("dataset", "split", "seed", "count")} == {
        "dataset": "small",
        "split": "train",
        "seed": 7,
        "count": 16,
    }
    assert len(record["digest"]) == 64
    assert record["digest"] != other["digest"]


def test_unlabelled_images_will_do(tmp_path: Path, write_image: Writer) -> None:
    for number in range(20):
        write_image(tmp_path / f"{number:02d}.png", seed=number)
    assert len(pick_calibration(open_dataset(tmp_path), 16)) == 16
