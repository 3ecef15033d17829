"""Which images calibrate and which verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.export.image_selection import ImageSelection, select_images
from edgecnn.types import Image

CARD = ModelCard(name="net", task="classify", labels=("a", "b"), preprocess=Preprocess(size=(8, 8)), decode=Decode("softmax"))
SCENE = "scene:cups?seed=5&size=96x64&every=7"


def write(folder: Path, count: int, first: int = 0) -> None:
    """Pictures whose brightness is their number."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((8, 8, 3), number, np.uint8))


def numbers(images: list[Image] | tuple[Image, ...]) -> set[int]:
    return {int(image[0, 0, 0]) for image in images}


def picked(
    calibration: str | None,
    *,
    count: int = 64,
    seed: int = 0,
    verify: str | None = None,
    verify_count: int = 8,
    card: ModelCard = CARD,
    **more: Any,
) -> ImageSelection:
    return select_images(card, calibration, count, seed, verify, verify_count, **more)


def test_what_verifies_has_not_calibrated(tmp_path: Path) -> None:
    write(tmp_path / "all", 100)
    found = picked(str(tmp_path / "all"))
    assert found.calibration is not None
    calibrating, verifying = numbers(found.calibration.images), numbers(list(found.real))
    assert (len(calibrating), len(verifying)) == (64, 8)
    assert not calibrating & verifying
    assert max(verifying) - min(verifying) > 40  # from all over the dataset
    assert found.source == "others of all"


def split_in_two(folder: Path, first: int = 100) -> None:
    for label, start in (("a", 0), ("b", 40)):
        write(folder / "train" / label, 40, first=start)
        write(folder / "test" / label, 10, first=first + start)


def test_the_test_part_verifies_and_the_training_part_calibrates(tmp_path: Path) -> None:
    split_in_two(tmp_path / "set")
    found = picked(str(tmp_path / "set"))
    assert found.calibration is not None
    assert max(numbers(found.calibration.images)) < 100 <= min(numbers(list(found.real)))
    assert found.calibration.record()["apart_from"] == [{"dataset": "set", "split": "test", "images": 20}]


def test_a_copy_of_a_test_image_does_not_calibrate(tmp_path: Path) -> None:
    split_in_two(tmp_path / "set", first=35)  # 35 to 44 and 75 to 84 are in both, some under another class
    found = picked(str(tmp_path / "set"))
    assert found.calibration is not None
    assert not numbers(found.calibration.images) & {*range(35, 45), *range(75, 85)}
    assert found.calibration.record()["left_out"] == 15


def test_one_half_of_an_address_calibrates_and_the_other_verifies(tmp_path: Path) -> None:
    for label, start in (("a", 0), ("b", 50)):
        write(tmp_path / "set" / label, 50, first=start)
    address = f"{tmp_path / 'set'}?split={{}}&val_fraction=0.3&seed=2"
    found = picked(address.format("train"))
    held_out = {int(Path(one.name).stem) for one in open_dataset(address.format("val")).samples}
    assert found.calibration is not None
    assert numbers(list(found.real)) <= held_out
    assert not numbers(found.calibration.images) & held_out
    assert (found.calibration.record()["split"], found.calibration.record()["apart_from"][0]["split"]) == ("train", "val")


def test_what_accuracy_is_measured_with_does_not_calibrate(tmp_path: Path) -> None:
    write(tmp_path / "all", 100)
    write(tmp_path / "measure", 20, first=10)
    found = picked(str(tmp_path / "all"), evaluate=str(tmp_path / "measure"))
    assert found.calibration is not None
    assert not numbers(found.calibration.images) & set(range(10, 30))


@pytest.mark.parametrize("address", ["{}?split=test", "{}?split=val&val_fraction=0.2", "{}/only"])
def test_a_part_to_measure_with_is_refused_unless_forced(tmp_path: Path, address: str) -> None:
    split_in_two(tmp_path / "set")
    write(tmp_path / "set" / "only" / "test" / "a", 20)
    uri = address.format(tmp_path / "set")
    with pytest.raises(InputError, match=r"--calibration: (test|val) of .* is not a training split"):
        picked(uri)
    assert picked(uri, force=True).calibration is not None


def test_a_small_set_keeps_enough_to_calibrate(tmp_path: Path) -> None:
    write(tmp_path / "all", 66)
    found = picked(str(tmp_path / "all"), count=128)
    assert found.calibration is not None
    assert (len(found.calibration.images), len(found.real)) == (64, 2)


def test_a_set_that_is_too_small_is_shared_when_forced(tmp_path: Path) -> None:
    write(tmp_path / "all", 20)
    found = picked(str(tmp_path / "all"), force=True)
    assert found.calibration is not None
    assert (len(found.calibration.images), len(found.real)) == (15, 5)


def test_problems_stop_a_strict_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "all", 80)
    (tmp_path / "all" / "bad.png").write_bytes(b"")
    picked(str(tmp_path / "all"))
    assert capsys.readouterr().err.splitlines() == [
        "all is read as images without labels (images in it): 80 images",
        "1 problem in all:",
        "  bad.png: an empty file",
    ]
    with pytest.raises(InputError, match=r"the first bad\.png: an empty file"):
        picked(str(tmp_path / "all"), strict=True)


def test_the_same_seed_picks_the_same(tmp_path: Path) -> None:
    write(tmp_path / "all", 120)
    records = [one.calibration.record() for seed in (1, 1, 2) if (one := picked(str(tmp_path / "all"), seed=seed)).calibration]
    assert records[0] == records[1]
    assert records[0]["digest"] != records[2]["digest"]
    assert (records[0]["dataset"], records[0]["count"], records[0]["seed"]) == ("all", 64, 1)


def test_data_to_verify_with_wins(tmp_path: Path) -> None:
    write(tmp_path / "calibrate", 80)
    write(tmp_path / "verify", 30, first=100)
    found = picked(str(tmp_path / "calibrate"), verify=str(tmp_path / "verify"))
    assert min(numbers(list(found.real))) >= 100
    assert found.source == "verify"


def test_an_endless_scene_gives_as_many_frames_as_are_needed() -> None:
    found = picked(SCENE, count=16, verify_count=4, force=True)
    assert found.calibration is not None
    assert (len(found.calibration.images), len(found.real)) == (16, 4)
    assert not any(np.array_equal(real, image) for real in found.real for image in found.calibration.images)


@pytest.mark.parametrize("data", ["scene:cups?seed=1", ["scene:cups?seed=1", "scene:cups?seed=2"]])
def test_a_model_of_the_scene_is_verified_on_the_scene(data: str | list[str]) -> None:
    found = picked(None, verify_count=2, card=CARD.replace(training={"data": data}))
    assert (found.calibration, len(found.real), found.source) == (None, 2, "scene:cups")


def test_any_other_model_has_nothing_to_be_verified_on() -> None:
    found = picked(None)
    assert (found.calibration, list(found.real), found.source) == (None, [], "")


@pytest.mark.parametrize("count", [pytest.param(3, id="asked-for"), pytest.param(128, id="there")])
def test_three_images_are_too_few(count: int, tmp_path: Path) -> None:
    write(tmp_path / "all", 3 if count == 128 else 100)
    with pytest.raises(InputError, match="at least 64 images, but there are 3"):
        picked(str(tmp_path / "all"), count=count)


def test_a_yolo_folder_without_class_names_calibrates_and_verifies(tmp_path: Path) -> None:
    for part, count, first in (("train", 70, 0), ("val", 10, 100)):
        write(tmp_path / part / "images", count, first)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / f"{first:03}.txt").write_text("2 .5 .5 .5 .5\n")
    selection = picked(str(tmp_path))
    assert selection.calibration is not None
    assert selection.calibration.record()["classes"] == {"class 2": 1}
    assert (len(selection.calibration.images), len(numbers(list(selection.real)) & set(range(100, 110)))) == (64, 8)
