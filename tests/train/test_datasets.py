from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.data import Dataset, open_dataset
from edgecnn.data.cache import cache_samples
from edgecnn.data.convert import ConvertConfig, convert
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.data.splits import train_val_split
from edgecnn.errors import InputError
from edgecnn.train.config import TrainConfig
from edgecnn.train.datasets import load_datasets
from edgecnn.train.in_memory import load
from edgecnn.types import Detections, Image


def options(*data: str, **changes: Any) -> TrainConfig:
    return TrainConfig(**{"model": "mlp", "data": data, "out": Path("unused"), **changes})


def test_validation_images_are_not_trained_on(digits: Path) -> None:
    data = load_datasets(options(str(digits), val_fraction=0.1), "classify")
    assert data.val is not None
    trained, validated = ({sample.name for sample in part.samples} for part in (data.train[0], data.val))
    assert (len(trained), len(validated)) == (288, 32)
    assert not trained & validated
    assert all(name.startswith("train/") for name in trained | validated)


def test_test_images_are_only_measured(digits: Path) -> None:
    data = load_datasets(options(str(digits)), "classify")
    assert data.test is not None
    assert all(sample.name.startswith("test/") for sample in data.test.samples)


def test_a_validation_split_that_is_not_named_is_told(boxes: Path, tmp_path: Path) -> None:
    for split in ("Train", "Valid", "Testing"):
        shutil.copytree(boxes, tmp_path / "set" / split)
    shutil.copy(boxes / "data.yaml", tmp_path / "set")
    warnings: list[str] = []
    data = load_datasets(options(str(tmp_path / "set")), "detect", warn=warnings.append)
    assert data.train[0].split == "Train"
    assert data.test is not None
    assert data.test.split == "Testing"
    assert "the split Valid of set is not used; to validate with it, name the dataset with --val, too" in warnings
    place = str(tmp_path / "set")
    named = load_datasets(options(place, val=(place,)), "detect", warn=warnings.append)
    assert named.val is not None
    assert (named.val.split, sum("is not used" in line for line in warnings)) == ("Valid", 1)


def test_the_validation_split_depends_on_the_seed_alone(digits: Path) -> None:
    dataset = open_dataset(digits, split="train")
    first, again, other = ([s.name for s in train_val_split(dataset, 0.1, seed)[1].samples] for seed in (1, 1, 2))
    assert first == again != other


def test_several_datasets_are_put_together(digits: Path) -> None:
    data = load_datasets(options(str(digits), str(digits), val_fraction=0.0), "classify")
    pixels = load(data.train, Preprocess((28, 28), color="gray"))
    assert len(pixels) == 640
    assert np.array_equal(pixels.images[:320], pixels.images[320:])


def names(dataset: Dataset | None) -> set[str]:
    assert dataset is not None
    return {sample.name for sample in dataset.samples}


def test_the_validation_split_of_boxes_keeps_groups_together(boxes: Path) -> None:
    data = load_datasets(options(str(boxes), val_fraction=0.25, group_by="^(.)."), "detect")
    trained, validated = names(data.train[0]), names(data.val)
    assert len(trained | validated) == 16
    assert not {Path(name).name[0] for name in trained} & {Path(name).name[0] for name in validated}


def test_the_validation_split_can_be_opened_by_its_address(boxes: Path) -> None:
    data = load_datasets(options(str(boxes), val_fraction=0.25, seed=3), "detect")
    again = open_dataset(f"{boxes}?split=val&val_fraction=0.25&seed=3")
    assert names(data.val) == names(again)


def test_each_dataset_is_split(digits: Path) -> None:
    data = load_datasets(options(str(digits), f"{digits}?split=test", val_fraction=0.1), "classify")
    assert [len(dataset) for dataset in data.train] == [288, 54]
    assert data.val is not None
    assert len(data.val) == 38
    assert {name.split("/")[0] for name in names(data.val)} == {"train", "test"}


def test_a_single_group_is_not_split_but_reported(boxes: Path) -> None:
    warnings: list[str] = []
    data = load_datasets(options(f"{boxes}?group=(png)"), "detect", warn=warnings.append)
    assert (len(data.train[0]), data.val) == (16, None)
    assert warnings[1].startswith("warning: ")
    assert "one group, which is never split: training goes on without validation images of it" in warnings[1]


def test_several_datasets_to_score_on(boxes: Path) -> None:
    data = load_datasets(options(str(boxes), val=(f"{boxes}?split=train", f"{boxes}?split=val")), "detect")
    assert names(data.val) == names(data.train[0])


def test_classes_bring_datasets_to_one_list(boxes: Path) -> None:
    addresses = (f"{boxes}?classes=dark", f"{boxes}?rename=bright:light")
    data = load_datasets(options(*addresses, classes=("light", "dark"), val_fraction=0.25), "detect")
    assert data.labels == ("light", "dark")
    assert [dataset.unlabelled for dataset in data.train] == [{0}, frozenset()]
    assert data.val is not None
    assert sorted(len(sample.unlabelled) for sample in data.val.samples) == [0] * 4 + [1] * 4
    assert [source.get("unlabelled") for source in data.sources] == [["light"], None]


def test_a_class_that_no_dataset_labels_is_refused(boxes: Path) -> None:
    with pytest.raises(InputError, match="no dataset labels red; add one that does, a teacher with --pseudo"):
        load_datasets(options(str(boxes), classes=("dark", "red")), "detect")


def test_teacher_fills_what_a_dataset_does_not_label(boxes: Path, tmp_path: Path) -> None:
    calls: list[int] = []

    def teach(image: Image) -> Detections:
        calls.append(1)
        return Detections(np.float32([[2, 2, 9, 9], [20, 2, 29, 9]]), np.float32([0.9, 0.3]), np.array([1, 1]))

    wanted = options(str(boxes), classes=("dark", "red"), val_fraction=0.25, pseudo=("t.onnx",), out=tmp_path)
    teacher = PseudoLabeler(teach, ("dark", "Red"), "t.onnx", "abc", 0.2)
    data = load_datasets(wanted, "detect", (teacher,))
    pixels = load(data.train, Preprocess((64, 96)))
    assert pixels.labelled.all()
    assert all((item.class_id == 1).sum() == 2 for item in pixels.boxes)
    assert all(item.crowd is not None and item.crowd.sum() == 1 for item in pixels.boxes)
    found = data.sources[0]["pseudo"]
    assert [one["teacher"] for one in found["teachers"]] == ["t.onnx"]
    assert (found["boxes"], found["ignored"]) == ({"red": 12}, {"red": 12})
    assert data.val is not None
    assert all(sample.unlabelled == {1} for sample in data.val.samples)
    load_datasets(wanted, "detect", (teacher,))
    assert len(calls) == 12  # the second time from the file


def test_several_teachers_must_agree_as_configured(boxes: Path, tmp_path: Path) -> None:
    def teach(high: float) -> PseudoLabeler:
        found = Detections(np.float32([[2, 2, 12, high]]), np.float32([0.6]), np.array([0]))
        return PseudoLabeler(lambda image: found, ("red",), f"{high}.onnx", str(high))

    teachers = (teach(12), teach(9))  # IoU 0.7
    wanted = options(str(boxes), classes=("dark", "red"), val_fraction=0.0, pseudo=("a", "b"), out=tmp_path)
    for iou, count in ((0.5, 16), (0.8, 0)):
        data = load_datasets(dataclasses.replace(wanted, pseudo_iou=iou), "detect", teachers)
        assert data.sources[0]["pseudo"]["boxes"] == {"red": count}
    assert "--pseudo-iou 0.8" in dataclasses.replace(wanted, pseudo_iou=0.8).command()
    assert "--pseudo" not in options(str(boxes)).command()


def test_the_card_says_what_a_converted_dataset_was_made_of(boxes: Path, tmp_path: Path) -> None:
    convert(ConvertConfig((str(boxes),), tmp_path / "packed"))
    data = load_datasets(options(str(tmp_path / "packed"), val_fraction=0.0), "detect")
    [made_of] = data.sources[0]["made_of"]
    assert (made_of["images"], made_of["boxes"]) == (16, {"dark": 8, "bright": 8})


def test_problems_are_reported_and_stop_a_strict_training(boxes: Path, tmp_path: Path) -> None:
    warnings: list[str] = []
    shutil.copytree(boxes, tmp_path / "boxes")
    (tmp_path / "boxes" / "labels" / "03.txt").write_text("7 0.5 0.5 0.1 0.1\n")
    load_datasets(options(str(tmp_path / "boxes")), "detect", warn=warnings.append)
    assert warnings == [
        "boxes is read as YOLO (images/ and labels/): 16 images, 15 boxes, 1 without objects, 2 classes (dark 8, bright 7)",
        "1 problem in boxes:",
        "  labels/03.txt:1: the class 7 where there are 2 (0 to 1); left out",
    ]
    with pytest.raises(InputError, match=r"--strict: boxes has 1 problem, the first labels/03\.txt:1"):
        load_datasets(options(str(tmp_path / "boxes"), strict=True), "detect")


def test_clips_in_both_splits_are_said(boxes: Path, tmp_path: Path) -> None:
    for number, split in enumerate(("train", "valid")):
        for kind, suffix in (("images", "png"), ("labels", "txt")):
            (tmp_path / split / kind).mkdir(parents=True)
            shutil.copy(boxes / kind / f"00.{suffix}", tmp_path / split / kind / f"park_mp4-{number}.{suffix}")
    (tmp_path / "classes.txt").write_text("dark\nbright\n")
    warnings: list[str] = []
    load_datasets(options(str(tmp_path), val=(str(tmp_path),)), "detect", warn=warnings.append)
    assert warnings[-1] == (
        f"{tmp_path.name}: clips or groups of images in both train and valid: park; val_fraction= divides by group"
    )


def test_an_image_that_can_not_be_read_is_left_out(boxes: Path, tmp_path: Path, damage_pixels: Callable[[Path], None]) -> None:
    warnings: list[str] = []
    shutil.copytree(boxes, tmp_path / "boxes")
    damage_pixels(tmp_path / "boxes" / "images" / "05.png")
    dataset = open_dataset(tmp_path / "boxes")
    pixels = load((dataset,), Preprocess((64, 96)), warn=warnings.append)
    assert (len(pixels), len(pixels.boxes), len(pixels.labelled)) == (15, 15, 15)
    truth = dataset.samples[6].boxes
    assert truth is not None
    assert np.allclose(pixels.boxes[5].xyxy, truth.xyxy)
    assert warnings == ["1 problem in boxes:", "  images/05.png: a PNG that is damaged, or of a form that OpenCV can't read"]
    with pytest.raises(InputError, match=r"the first images/05\.png"):
        load((dataset,), Preprocess((64, 96)), strict=True)


def test_remembered_image_is_read_once(digits: Path) -> None:
    sample = cache_samples(open_dataset(digits, split="test")).samples[3]
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
        pytest.param(
            "{digits}", "detect", r"digits\d* is for the task classify, but the model is for the task detect", id="wrong-task"
        ),
        pytest.param(
            "{boxes}", "classify", r"boxes\d* is for the task detect, but the model is for the task classify", id="wrong-task-too"
        ),
        pytest.param("{digits}/nowhere", "classify", "nowhere does not exist; check the path", id="missing"),
        pytest.param("scene:cups?seed=1", "detect", "count", id="scene-without-end"),
        pytest.param("scene:saucers", "detect", "scene:cups", id="unknown-scene"),
    ],
)
def test_dataset_that_does_not_fit_is_explained(digits: Path, boxes: Path, data: str, task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_datasets(options(data.format(digits=digits, boxes=boxes)), task)


def test_truncated_dataset_is_one_line(digits: Path, tmp_path: Path) -> None:
    for path in digits.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    cut = tmp_path / "train-images-idx3-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(InputError, match="train-images") as caught:
        load_datasets(options(str(tmp_path)), "classify")
    assert "\n" not in str(caught.value)


def test_datasets_with_other_classes_do_not_go_together(digits: Path, tmp_path: Path) -> None:
    other = tmp_path / "fashion"
    other.mkdir()
    for path in digits.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="same classes"):
        load_datasets(options(str(digits), str(other)), "classify")


def test_command_line_in_the_card_holds_no_folder_of_the_user(tmp_path: Path) -> None:
    command = options(str(tmp_path / "secret" / "digits"), "scene:cups?seed=1&count=5").command()
    assert command.startswith("edgecnn train mlp --data 'digits' --data 'scene:cups?seed=1&count=5'")
    assert "secret" not in command


def test_command_line_in_the_card_has_the_parts_of_its_data(tmp_path: Path) -> None:
    more: dict[str, Any] = {"classes": ("x", "y z"), "group_by": "^(.)_", "pseudo": ("/m/t.onnx?lower=0.1",)}
    command = options(f"{tmp_path}/a?split=train", val=("a?split=val",), **more).command()
    assert (
        "--data 'a?split=train' --val 'a?split=val' --pseudo 't.onnx?lower=0.1' --classes 'x,y z' --group-by '^(.)_'" in command
    )
    assert str(tmp_path) not in command
