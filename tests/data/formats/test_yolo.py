from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, held_out_split, open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def test_boxes_are_in_pixels(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", ["1 0.5 0.5 0.5 0.2", "", "0 0.25 0.5 0.5 1.0"])
    (tmp_path / "classes.txt").write_text("cup\nplate\n")
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert dataset.labels == ("cup", "plate")
    assert boxes is not None
    assert boxes.xyxy.tolist() == [[10, 12, 30, 18], [0, 0, 20, 30]]
    assert boxes.class_id.tolist() == [1, 0]


@pytest.mark.parametrize("folder", [pytest.param("{}/images", id="split first"), pytest.param("images/{}", id="split last")])
def test_splits(tmp_path: Path, write_yolo: Writer, folder: str) -> None:
    write_yolo(tmp_path / folder.format("train"), "a", ["0 0.5 0.5 0.5 0.2"])
    write_yolo(tmp_path / folder.format("valid"), "b", ["0 0.5 0.5 0.5 0.2"])
    assert dataset_splits(tmp_path) == ("train", "valid")
    assert held_out_split(tmp_path) == "valid"
    assert len(open_dataset(tmp_path, labels="cup")) == 2
    held_out = open_dataset(tmp_path, labels="cup", split="val")
    assert (held_out.split, [Path(sample.name).name for sample in held_out.samples]) == ("valid", ["b.png"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("names: ['a b', c]\n", id="list in one line"),
        pytest.param("nc: 2\nnames:\n- a b\n- c\nroboflow: x\n", id="block list"),
        pytest.param("names:\n  0: a b  # the first\n  1: c\n\ntrain: x\n", id="table"),
        pytest.param("names:\n  1: c\n  0: 'a b'\n", id="table out of order"),
        pytest.param("names: {0: 'a b', 1: c}\n", id="table in one line"),
        pytest.param("names: [\n  'a b',\n  'c',\n]\n", id="list over lines"),
    ],
)
def test_names_from_data_yaml(tmp_path: Path, write_yolo: Writer, text: str) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.5 0.5 0.5 0.2"])
    (tmp_path / "data.yaml").write_text(text)
    assert open_dataset(tmp_path).labels == ("a b", "c")


def test_without_names_it_says_where_to_write_them(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.5 0.5 0.5 0.2"])
    with pytest.raises(InputError, match=r"classes\.txt.*--data-labels"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("2 0.5 0.5 0.5 0.2", "the class 2 where there are 2 (0 to 1)", id="class too high"),
        pytest.param("-1 0.5 0.5 0.5 0.2", "the class -1", id="class below 0"),
        pytest.param("0.5 0.5 0.5 0.5 0.2", "the class 0.5", id="class with a fraction"),
        pytest.param("nan 0.5 0.5 0.5 0.2", "the class nan", id="class nan"),
        pytest.param("0 0.5 0.5 0.5", "4 numbers instead of", id="a number short"),
        pytest.param("0 0.5 0.5 0.5 x", "not all numbers", id="a word"),
        pytest.param("0 0.5 0.5 0 0.2", "without extent", id="no width"),
        pytest.param("0 inf 0.5 0.5 0.2", "no number", id="infinite"),
        pytest.param("0 1.5 0.5 0.5 0.2", "outside the image", id="outside"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path: Path, write_yolo: Writer, line: str, said: str) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.5 0.5 0.5 0.2", line, "1 0.5 0.5 0.5 0.2"])
    dataset = open_dataset(tmp_path, labels=("cup", "plate"))
    boxes = dataset.samples[0].boxes
    assert [one.where for one in dataset.problems] == ["labels/a.txt:2"]
    assert said in dataset.problems[0].what
    assert boxes is not None
    assert boxes.class_id.tolist() == [0, 1]


def test_a_polygon_becomes_its_box(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.25 0.2 0.5 0.4 0.3 0.6"])
    boxes = open_dataset(tmp_path, labels="cup").samples[0].boxes
    assert boxes is not None
    assert boxes.xyxy[0].tolist() == pytest.approx([10, 6, 20, 18])


def test_an_image_without_label_file_shows_nothing(tmp_path: Path, write_yolo: Writer, write_image: Writer) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.5 0.5 0.5 0.2"])
    write_image(tmp_path / "images" / "b.png")
    dataset = open_dataset(tmp_path, labels="cup")
    assert [len(sample.boxes) for sample in dataset.samples if sample.boxes is not None] == [1, 0]
    assert dataset.problems == ()


def test_a_label_file_without_image_and_a_bad_image_are_problems(tmp_path: Path, write_yolo: Writer) -> None:
    for stem in ("good", "gone", "empty", "text"):
        write_yolo(tmp_path / "images", stem, ["0 0.5 0.5 0.5 0.2"])
    (tmp_path / "images" / "gone.png").unlink()
    (tmp_path / "images" / "empty.png").write_bytes(b"")
    (tmp_path / "images" / "text.png").write_text("no image")
    dataset = open_dataset(tmp_path, labels="cup")
    assert [sample.name for sample in dataset.samples] == ["images/good.png"]
    assert {one.where: one.what for one in dataset.problems} == {
        "labels/gone.txt": "no image of this name",
        "images/empty.png": "an empty file",
        "images/text.png": "a file that is no image or is damaged",
    }


def test_frames_of_a_clip_are_one_group(tmp_path: Path, write_yolo: Writer) -> None:
    for stem in ("12_mp4-10_jpg.rf.abc", "12_mp4-11_jpg.rf.def", "test2_MOV-1", "photo-3"):
        write_yolo(tmp_path / "images", stem, [])
    assert [sample.group for sample in open_dataset(tmp_path, labels="cup").samples] == ["12", "12", "", "test2"]


@pytest.mark.real_data
def test_vehicles_have_their_images_and_boxes(real_data: Path) -> None:
    dataset = open_dataset(real_data / "vehicles-topview-416", labels=("Vehicle",))
    assert len(dataset) == 489
    assert sum(len(sample.boxes) for sample in dataset.samples if sample.boxes) == 5433
    assert len({sample.group for sample in dataset.samples}) == 13
    assert dataset.problems == ()


@pytest.mark.real_data
def test_construction_has_its_images(real_data: Path) -> None:
    names = "Hardhat,Mask,NO-Hardhat,NO-Mask,NO-Safety Vest,Person,Safety Cone,Safety Vest,machinery,vehicle"
    counts = [len(open_dataset(real_data / "construction-safety-320", labels=names, split=split)) for split in ("train", "valid")]
    assert counts == [514, 114]
