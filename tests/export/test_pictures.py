"""Which images calibrate and which verify."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.export.pictures import Pictures, pick
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
    count: int = 20,
    seed: int = 0,
    verify: str | None = None,
    verify_count: int = 8,
    card: ModelCard = CARD,
) -> Pictures:
    return pick(card, calibration, count, seed, verify, verify_count)


def test_what_verifies_has_not_calibrated(tmp_path: Path) -> None:
    write(tmp_path / "all", 40)
    found = picked(str(tmp_path / "all"))
    assert found.calibration is not None
    calibrating, verifying = numbers(found.calibration.images), numbers(list(found.real))
    assert (len(calibrating), len(verifying)) == (20, 8)
    assert not calibrating & verifying
    assert max(verifying) - min(verifying) > 15  # from all over the dataset
    assert found.source == "others of all"


def test_the_test_part_verifies_and_the_training_part_calibrates(tmp_path: Path) -> None:
    for label in ("a", "b"):
        write(tmp_path / "train" / label, 20)
        write(tmp_path / "test" / label, 10, first=100)
    found = picked(str(tmp_path))
    assert found.calibration is not None
    assert max(numbers(found.calibration.images)) < 100 <= min(numbers(list(found.real)))


def test_a_small_set_keeps_enough_to_calibrate(tmp_path: Path) -> None:
    write(tmp_path / "all", 18)
    found = picked(str(tmp_path / "all"), count=128)
    assert found.calibration is not None
    assert (len(found.calibration.images), len(found.real)) == (16, 2)


def test_the_same_seed_picks_the_same(tmp_path: Path) -> None:
    write(tmp_path / "all", 60)
    records = [one.calibration.record() for seed in (1, 1, 2) if (one := picked(str(tmp_path / "all"), seed=seed)).calibration]
    assert records[0] == records[1]
    assert records[0]["digest"] != records[2]["digest"]
    assert (records[0]["dataset"], records[0]["count"], records[0]["seed"]) == ("all", 20, 1)


def test_data_to_verify_with_wins(tmp_path: Path) -> None:
    write(tmp_path / "calibrate", 30)
    write(tmp_path / "verify", 30, first=100)
    found = picked(str(tmp_path / "calibrate"), verify=str(tmp_path / "verify"))
    assert min(numbers(list(found.real))) >= 100
    assert found.source == "verify"


def test_an_endless_scene_gives_as_many_frames_as_are_needed() -> None:
    found = picked(SCENE, count=16, verify_count=4)
    assert found.calibration is not None
    assert (len(found.calibration.images), len(found.real)) == (16, 4)
    assert not any(np.array_equal(real, image) for real in found.real for image in found.calibration.images)


def test_a_model_of_the_scene_is_verified_on_the_scene() -> None:
    found = picked(None, verify_count=2, card=CARD.replace(training={"data": "scene:cups?seed=1"}))
    assert (found.calibration, len(found.real), found.source) == (None, 2, "scene:cups")


def test_any_other_model_has_nothing_to_be_verified_on() -> None:
    found = picked(None)
    assert (found.calibration, list(found.real), found.source) == (None, [], "")


@pytest.mark.parametrize("count", [pytest.param(3, id="asked-for"), pytest.param(128, id="there")])
def test_three_images_are_too_few(count: int, tmp_path: Path) -> None:
    write(tmp_path / "all", 3 if count == 128 else 40)
    with pytest.raises(InputError, match="at least 16 images to calibrate with, found 3"):
        picked(str(tmp_path / "all"), count=count)
