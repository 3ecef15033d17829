"""What a folder is taken for: roots with splits are never a classifier, two readings are refused, and one line says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.data.recognition import FORMATS, KINDS, describe
from edgecnn.errors import InputError

Writer = Callable[..., Path]
SPLITS = ("train", "valid", "test")
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>12</ymax></bndbox>"
XML = f"<annotation><object><name>cat</name>{BOX}</object></annotation>"


def coco_record(*names: str) -> str:
    annotations = [
        {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 10, 10]} for number, _ in enumerate(names, 1)
    ]
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    return json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]})


@pytest.fixture
def splits(tmp_path: Path, write_image: Writer) -> Path:
    """train, valid and test with an image each."""
    for split in SPLITS:
        write_image(tmp_path / split / "a.png")
    return tmp_path


def test_a_coco_file_in_each_split(splits: Path) -> None:
    for split in SPLITS:
        (splits / split / "_annotations.coco.json").write_text(coco_record("a.png"))
    dataset = open_dataset(splits, split="val")
    assert dataset_splits(splits) == SPLITS
    assert describe(dataset) == (
        f"{splits.name} is read as COCO (train/_annotations.coco.json, valid/_annotations.coco.json, 1 more .json), "
        "split valid: 1 image, 1 box, 1 class (cat 1)"
    )
    assert len(open_dataset(splits)) == 3


def test_xml_files_in_each_split(splits: Path) -> None:
    for split in SPLITS:
        (splits / split / "a.xml").write_text(XML)
    dataset = open_dataset(splits, split="test")
    assert dataset_splits(splits) == SPLITS
    assert (dataset.task, len(dataset), dataset.labels, dataset.problems) == ("detect", 1, ("cat",), ())
    assert "Pascal VOC (XML beside the images in train, valid, test), split test: 1 image, 1 box" in describe(dataset)


@pytest.mark.parametrize("file", ["_annotations.csv", "_annotations.createml.json", "notes.md"])
def test_splits_without_labels_that_are_read_are_no_classes(splits: Path, file: str) -> None:
    (splits / "train" / file).write_text("[]")
    dataset = open_dataset(splits, split="train")
    assert (dataset.kind, dataset.labels, dataset.samples[0].label) == ("images without labels", (), None)
    assert describe(dataset).endswith(f"split train: 1 image; not read: 1 {Path(file).suffix}")


@pytest.mark.parametrize("names", [("train",), ("train", "test"), ("Train", "Valid")])
def test_folders_called_like_splits_are_never_classes(tmp_path: Path, write_image: Writer, names: tuple[str, ...]) -> None:
    for name in names:
        write_image(tmp_path / name / "a.png")
    dataset = open_dataset(tmp_path)
    assert (dataset.kind, dataset.labels, dataset_splits(tmp_path)) == ("images without labels", (), names)


def test_folders_of_coco_without_its_files_are_no_classes(tmp_path: Path, write_image: Writer) -> None:
    for name in ("train2017", "val2017"):
        write_image(tmp_path / name / "a.png")
    with pytest.raises(InputError, match="is not a known kind of dataset"):
        open_dataset(tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path, write_image: Writer) -> None:
    for name in ("bus", "train"):
        write_image(tmp_path / name / "a.png")
    assert open_dataset(tmp_path).labels == ("bus", "train")


def test_class_folders_with_a_coco_file_are_two_readings(tmp_path: Path, write_image: Writer) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / name / "a.png")
    (tmp_path / "boxes.json").write_text(coco_record("cat/a.png", "dog/a.png"))
    with pytest.raises(InputError) as caught:
        open_dataset(tmp_path)
    assert caught.value.problem == f"{tmp_path} can be read as COCO (boxes.json) or class folders (folders of images: cat, dog)"
    assert caught.value.fix.startswith("add format=coco or format=folders to its address")
    assert open_dataset(f"{tmp_path}?format=coco").task == "detect"
    assert open_dataset(f"{tmp_path}?format=folders").labels == ("cat", "dog")


def test_yolo_and_voc_in_one_folder_are_two_readings(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", ["0 0.5 0.5 0.5 0.2"])
    (tmp_path / "classes.txt").write_text("cup\n")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(XML)
    with pytest.raises(InputError, match=r"can be read as Pascal VOC .* or YOLO .*; add format=voc or format=yolo"):
        open_dataset(tmp_path)
    assert open_dataset(f"{tmp_path}?format=yolo").labels == ("cup",)
    assert open_dataset(f"{tmp_path}?format=voc").labels == ("cat",)
    assert dataset_splits(f"{tmp_path}?format=voc") == ()


def test_label_files_in_class_folders_are_a_doubt(tmp_path: Path, write_image: Writer) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / name / "a.png").with_suffix(".xml").write_text(XML)
    with pytest.raises(InputError, match=r"a label file is beside cat/a\.png; add format=folders"):
        open_dataset(tmp_path)
    dataset = open_dataset(f"{tmp_path}?format=folders")
    assert (dataset.labels, dict(dataset.left_out)[".xml"]) == (("cat", "dog"), 2)


def test_images_below_class_folders_belong_to_the_class(tmp_path: Path, write_image: Writer) -> None:
    for name in ("cat/a.png", "cat/more/b.png", "cat/more/.hidden/c.png", "dog/d.png", "dog/.e.png"):
        write_image(tmp_path / name)
    (tmp_path / "cat" / "Thumbs.db").touch()
    (tmp_path / "cat" / "more" / "clip.mp3").touch()
    dataset = open_dataset(tmp_path)
    assert [(one.name, one.label) for one in dataset.samples] == [("cat/a.png", 0), ("cat/more/b.png", 0), ("dog/d.png", 1)]
    assert describe(dataset).endswith("3 images, 2 classes (cat 2, dog 1); not read: 1 .mp3")


def test_one_folder_too_high_is_no_classifier_of_one_class(tmp_path: Path, write_image: Writer) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / "archive" / name / "a.png")
    with pytest.raises(InputError, match=r"in folders below, such as archive/cat; add format=folders .* or name the folder"):
        open_dataset(tmp_path)


def test_folders_beside_the_splits_are_told(tmp_path: Path, write_image: Writer) -> None:
    for name in ("train/cat", "test/cat", "more/cat"):
        write_image(tmp_path / name / "a.png")
    problems = open_dataset(tmp_path, split="train").problems
    assert [(one.where, one.what) for one in problems] == [("more", "a folder beside the splits train, test; left out")]


def test_a_folder_named_like_a_number_is_a_folder(tmp_path: Path, write_image: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "2024" / "cat" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("2024").labels == ("cat",)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_the_files_have_not_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"format={name}: .* has none of its files"):
        open_dataset(f"{tmp_path}?format={name}")


def test_an_unknown_format_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format=tfrecord is not a format of datasets; use one of idx, coco, voc, dota, yolo"):
        open_dataset(f"{tmp_path}?format=tfrecord")


def test_every_kind_is_in_the_help_of_its_option() -> None:
    from edgecnn.cli.options import DATA_FORMAT

    assert all(name in DATA_FORMAT[1]["help"] for name in FORMATS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_scene_is_not_described() -> None:
    assert describe(open_dataset("scene:cups?seed=3&size=160x120", limit=1)) == ""


def test_a_folder_of_no_kind_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(
        InputError, match=r"is not a known kind of dataset: it holds 1 \.txt, 1 folder; .* COCO, Pascal VOC, DOTA, YOLO"
    ):
        open_dataset(tmp_path)
