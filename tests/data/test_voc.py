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
