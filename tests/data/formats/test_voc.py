from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]
LAYOUTS = [
    pytest.param(("Annotations", "JPEGImages"), id="VOC folders"),
    pytest.param(("annotations", "images"), id="lower-case folders"),
]


@pytest.mark.parametrize("folders", LAYOUTS)
def test_boxes_and_names(tmp_path: Path, write_voc: Writer, folders: tuple[str, str]) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12)), ("cat", (0, 0, 40, 30))], folders)
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert dataset.labels == ("cat", "dog")
    assert boxes is not None
    assert boxes.xyxy.dtype == np.float32
    assert boxes.xyxy.tolist() == [[1, 2, 11, 12], [0, 0, 40, 30]]
    assert boxes.class_id.tolist() == [1, 0]
    assert dataset.problems == ()


def test_the_dataset_may_lie_one_folder_deeper(tmp_path: Path, write_voc: Writer) -> None:
    write_voc(tmp_path / "BCCD", "a", [("dog", (1, 2, 11, 12))])
    assert len(open_dataset(tmp_path)) == 1


def test_splits_come_from_image_sets_and_labels_from_all(tmp_path: Path, write_voc: Writer) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    write_voc(tmp_path, "b", [("cat", (1, 2, 11, 12))])
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("b\nmissing\n")
    dataset = open_dataset(tmp_path, split="valid")
    assert [sample.name for sample in dataset.samples] == ["b.png"]
    assert dataset.labels == ("cat", "dog")
    assert [(one.where, one.what) for one in dataset.problems] == [("missing.xml", "no image of this name")]


@pytest.mark.parametrize(
    ("name", "box", "said", "kept"),
    [
        pytest.param("dog", (5, 6, 5, 6), "without extent: (5, 6, 5, 6)", 0, id="no extent"),
        pytest.param("dog", (9, 6, 5, 16), "without extent", 0, id="corners swapped"),
        pytest.param("dog", (50, 6, 55, 16), "outside the image of 40x30", 0, id="outside"),
        pytest.param("dog", (30, 6, 55, 16), "reaches outside the image of 40x30", 1, id="half outside"),
        pytest.param("dog", ("x", 6, 55, 16), "no number", 0, id="a word"),
        pytest.param("dog", ("nan", 6, 55, 16), "no number", 0, id="nan"),
        pytest.param("cow", (1, 2, 3, 4), "the class 'cow'", 0, id="unknown class"),
        pytest.param("", (1, 2, 3, 4), "the class ''", 0, id="no class"),
    ],
)
def test_a_bad_box_is_named_by_file_and_line(
    tmp_path: Path, write_voc: Writer, name: str, box: tuple[object, ...], said: str, kept: int
) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12)), (name, box)])
    dataset = open_dataset(tmp_path, labels=("dog",))
    assert len(dataset.problems) == 1
    assert dataset.problems[0].where == "a.xml:7"
    assert said in dataset.problems[0].what
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert len(boxes) == 1 + kept
    assert boxes.xyxy.max() <= 40


def test_a_pixel_beyond_the_edge_is_rounding(tmp_path: Path, write_voc: Writer) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 41, 30))])
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert dataset.problems == ()
    assert boxes is not None
    assert boxes.xyxy[0, 2] == 40


def test_broken_xml_missing_image_and_missing_annotation_are_problems(
    tmp_path: Path, write_voc: Writer, write_image: Writer
) -> None:
    write_voc(tmp_path, "good", [("dog", (1, 2, 11, 12))])
    write_voc(tmp_path, "broken", [("dog", (1, 2, 11, 12))]).write_text("<annotation><object>")
    write_voc(tmp_path, "lonely", [("dog", (1, 2, 11, 12))])
    (tmp_path / "JPEGImages" / "lonely.png").unlink()
    write_image(tmp_path / "JPEGImages" / "unmarked.png")
    dataset = open_dataset(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["good.png"]
    assert {one.where: one.what.split(" (")[0] for one in dataset.problems} == {
        "broken.xml": "no XML that can be read",
        "lonely.xml": "no image of this name",
        "unmarked.png": "no annotation for this image",
    }


def test_difficult_objects_are_neither_wanted_nor_wrong(tmp_path: Path, write_voc: Writer) -> None:
    file = write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    file.write_text(file.read_text().replace("<difficult>0", "<difficult>1"))
    boxes = open_dataset(tmp_path).samples[0].boxes
    assert boxes is not None
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [True]


def test_a_dataset_without_a_usable_image_says_why(tmp_path: Path, write_voc: Writer) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    (tmp_path / "JPEGImages" / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"problems: 1, the first a\.png: an empty file"):
        open_dataset(tmp_path)


def test_xml_beside_the_images(tmp_path: Path, write_voc: Writer) -> None:
    for stem in ("a", "b"):
        write_voc(tmp_path, stem, [("dog", (1, 2, 11, 12))], ("", ""))
    (tmp_path / "notes.md").touch()
    dataset = open_dataset(tmp_path)
    assert (dataset.task, [one.name for one in dataset.samples], dataset.problems) == ("detect", ["a.png", "b.png"], ())
    assert (dataset.evidence, dict(dataset.left_out)) == ("XML beside the images", {".md": 1})


def test_labels_of_a_split_come_from_all(tmp_path: Path, write_voc: Writer) -> None:
    write_voc(tmp_path / "train", "a", [("dog", (1, 2, 11, 12)), ("cat", (1, 2, 11, 12))])
    write_voc(tmp_path / "valid", "b", [("dog", (1, 2, 11, 12))])
    dataset = open_dataset(tmp_path, split="val")
    boxes = dataset.samples[0].boxes
    assert dataset.labels == ("cat", "dog")
    assert boxes is not None
    assert boxes.class_id.tolist() == [1]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        pytest.param((40, 30), "", id="right"),
        pytest.param((0, 0), "", id="not known"),
        pytest.param((80, 60), "the image has 40x30 pixels, but a.xml states 80x60; its boxes", id="resized"),
        pytest.param((30, 40), "a.xml states 30x40: it is turned by its EXIF orientation", id="turned"),
    ],
)
def test_another_stated_size_names_both(tmp_path: Path, write_voc: Writer, size: tuple[int, int], said: str) -> None:
    file = write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    file.write_text(file.read_text().replace("<object>", f"{stated}<object>", 1))
    problems = open_dataset(tmp_path).problems
    assert [one.where for one in problems] == (["a.png"] if said else [])
    assert said in "".join(one.what for one in problems)


ENTITIES = "<!DOCTYPE a [<!ENTITY x '" + "y" * 1000 + "'>]>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(f"{ENTITIES}<annotation>{'&x;' * 1000}</annotation>", "a document type declaration", id="entities"),
        pytest.param("<annotation>" + "<a>" * 5000, "elements in elements more than 100 deep", id="nested"),
        pytest.param("", "an empty file", id="empty"),
        pytest.param("<annotation>\0</annotation>", "no XML that can be read", id="zero byte"),
    ],
)
def test_hostile_xml_is_a_problem(tmp_path: Path, write_voc: Writer, content: str, said: str) -> None:
    write_voc(tmp_path, "good", [("dog", (1, 2, 11, 12))])
    write_voc(tmp_path, "bad", []).write_text(content)
    dataset = open_dataset(tmp_path)
    assert ([one.name for one in dataset.samples], [one.where for one in dataset.problems]) == (["good.png"], ["bad.xml"])
    assert said in dataset.problems[0].what


def test_an_object_without_content_and_a_comment_move_no_line(tmp_path: Path, write_voc: Writer) -> None:
    file = write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12)), ("dog", (5, 5, 5, 5))])
    file.write_text(file.read_text().replace("<object>", "<object/><!-- <object> --><object>", 1))
    dataset = open_dataset(tmp_path)
    assert [one.where for one in dataset.problems] == ["a.xml:3", "a.xml:7"]
    assert [len(one.boxes or ()) for one in dataset.samples] == [1]


def test_boxes_of_parts_are_not_those_of_the_object(tmp_path: Path, write_voc: Writer) -> None:
    file = write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    part = "<part><name>head</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></part>"
    file.write_text(file.read_text().replace("<object>", f"<object>{part}"))
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert (dataset.labels, boxes.xyxy.tolist()) == (("dog",), [[1, 2, 11, 12]])


def test_two_images_of_one_name_are_told(tmp_path: Path, write_voc: Writer, write_image: Writer) -> None:
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    write_image(tmp_path / "JPEGImages" / "a.bmp")
    assert [one.what for one in open_dataset(tmp_path).problems] == ["a second image of the name a: a.png is used"]


def test_the_file_name_in_the_xml_decides_between_two_images_of_a_name(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "a.jpg", 40, 30)
    write_image(tmp_path / "a.png", 20, 10)
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>31</xmax><ymax>22</ymax></bndbox>"
    xml = f"<annotation><filename>C:\\pictures\\a.jpg</filename><object><name>cat</name>{box}</object></annotation>"
    (tmp_path / "a.xml").write_text(xml)
    dataset = open_dataset(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["a.jpg"]
    assert [one.what for one in dataset.problems] == ["a second image of the name a: a.jpg is used"]


def test_an_image_set_may_name_files_and_hold_spaces(tmp_path: Path, write_voc: Writer) -> None:
    for stem in ("my image", "b"):
        write_voc(tmp_path, stem, [("dog", (1, 2, 11, 12))])
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("my image\n")
    (lists / "val.txt").write_text("JPEGImages/b.png  1\n")
    assert [[one.name for one in open_dataset(tmp_path, split=name).samples] for name in ("train", "val")] == [
        ["my image.png"],
        ["b.png"],
    ]
    (lists / "val.txt").write_bytes(b"b\xff\xfe\n")
    with pytest.raises(InputError, match=r"the list .*val\.txt is not UTF-8 text"):
        open_dataset(tmp_path, split="val")


@pytest.mark.real_data
def test_facemask_has_its_images_and_faces(real_data: Path) -> None:
    dataset = open_dataset(real_data / "facemask853")
    assert len(dataset) == 710
    assert sum(len(sample.boxes) for sample in dataset.samples if sample.boxes) == 3396
    assert dataset.labels == ("con_mascarilla", "mascarilla_mal_puesta", "sin_mascarilla")
    assert dataset.problems == ()


@pytest.mark.real_data
def test_bccd_holds_two_invalid_boxes(real_data: Path) -> None:
    dataset = open_dataset(real_data / "bccd")
    assert len(dataset) == 364
    assert sum(len(sample.boxes) for sample in dataset.samples if sample.boxes) == 4888 - 2
    assert [one.where for one in dataset.problems] == ["BloodImage_00338.xml:158", "BloodImage_00343.xml:50"]
    assert [len(open_dataset(real_data / "bccd", split=split)) for split in ("train", "val", "test")] == [205, 87, 72]
