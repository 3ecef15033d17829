from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.train.material import gather, hold_out, remember
from edgecnn.train.options import TrainOptions
from edgecnn.train.pixels import load


def options(*data: str, **changes: Any) -> TrainOptions:
    return TrainOptions(model="mlp", data=data, out=Path("unused"), **changes)


def test_part_that_is_held_out_is_not_learnt(digits: Path) -> None:
    material = gather(options(str(digits), hold_out=0.1), "classify")
    assert material.watch is not None
    learnt, watched = ({sample.name for sample in part.samples} for part in (material.learn[0], material.watch))
    assert (len(learnt), len(watched)) == (288, 32)
    assert not learnt & watched
    assert all(name.startswith("train/") for name in learnt | watched)


def test_test_images_are_only_measured(digits: Path) -> None:
    material = gather(options(str(digits)), "classify")
    assert material.measure is not None
    assert all(sample.name.startswith("test/") for sample in material.measure.samples)


def test_holding_out_depends_on_the_seed_alone(digits: Path) -> None:
    dataset = open_dataset(digits, split="train")
    first, again, other = ([s.name for s in hold_out(dataset, 0.1, seed)[1].samples] for seed in (1, 1, 2))
    assert first == again != other


def test_several_datasets_are_put_together(digits: Path) -> None:
    material = gather(options(str(digits), str(digits), hold_out=0.0), "classify")
    pixels = load(material.learn, Preprocess((28, 28), color="gray"))
    assert len(pixels) == 640
    assert np.array_equal(pixels.images[:320], pixels.images[320:])


def test_remembered_image_is_read_once(digits: Path) -> None:
    sample = remember(open_dataset(digits, split="test")).samples[3]
    assert sample.read() is sample.read()


def test_boxes_move_with_the_letterbox(boxes: Path) -> None:
    dataset = open_dataset(boxes)
    pixels = load((dataset,), Preprocess((128, 128)))
    truth = dataset.samples[0].boxes
    assert truth is not None
    scale, top = 128 / 96, (128 - round(64 * 128 / 96)) // 2
    assert np.allclose(pixels.boxes[0].xyxy, truth.xyxy * scale + np.array([0, top, 0, top]), atol=0.6)


@pytest.mark.parametrize(
    ("data", "task", "message"),
    [
        pytest.param("{digits}", "detect", "a dataset to detect", id="wrong-task"),
        pytest.param("{boxes}", "classify", "a dataset to classify", id="wrong-task-too"),
        pytest.param("{digits}/nowhere", "classify", "no such file", id="missing"),
        pytest.param("scene:cups?seed=1", "detect", "count", id="scene-without-end"),
        pytest.param("scene:saucers", "detect", "scene:cups", id="unknown-scene"),
    ],
)
def test_dataset_that_does_not_fit_is_explained(digits: Path, boxes: Path, data: str, task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gather(options(data.format(digits=digits, boxes=boxes)), task)


def test_truncated_dataset_is_one_line(digits: Path, tmp_path: Path) -> None:
    for path in digits.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    cut = tmp_path / "train-images-idx3-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(InputError, match="train-images") as caught:
        gather(options(str(tmp_path)), "classify")
    assert "\n" not in str(caught.value)


def test_datasets_with_other_classes_do_not_go_together(digits: Path, tmp_path: Path) -> None:
    other = tmp_path / "fashion"
    other.mkdir()
    for path in digits.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="same classes"):
        gather(options(str(digits), str(other)), "classify")


def test_command_line_in_the_card_holds_no_folder_of_the_user(tmp_path: Path) -> None:
    command = options(str(tmp_path / "secret" / "digits"), "scene:cups?seed=1&count=5").command()
    assert command.startswith("edgecnn train mlp --data 'digits' --data 'scene:cups?seed=1&count=5'")
    assert "secret" not in command
