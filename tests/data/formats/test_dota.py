"""DOTA's text files of rotated boxes: layouts, header, classes, difficult objects, problems by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.data.check.boxes import TWICE, odd_boxes
from edgecnn.data.check.dataset import check_dataset
from edgecnn.data.convert import ConvertConfig, convert
from edgecnn.data.recognition import describe
from edgecnn.errors import InputError
from edgecnn.types import Boxes

WriteDota = Callable[..., Path]
HEADER = ["imagesource:GoogleEarth", "gsd:0.146343590398"]
SHIP = "10 5 20 10 16 18 6 13 ship 0"
PLANE = "25.0 10.0 35.0 10.0 35.0 20.0 25.0 20.0 large-plane 1"


@pytest.fixture
def write_dota(write_image: Callable[..., Path]) -> WriteDota:
    """Write one image of 40 x 30 pixels with its label file into a folder, and give the label file's path."""

    def write(folder: Path, stem: str, lines: list[str], labels: str = "labelTxt") -> Path:
        write_image(folder / "images" / f"{stem}.png")
        path = folder / labels / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
        return path

    return write


@pytest.mark.parametrize("labels", ["labelTxt", "labelTxt-v1.5", "labels"])
def test_corners_classes_and_difficult_objects(tmp_path: Path, write_dota: WriteDota, labels: str) -> None:
    write_dota(tmp_path, "a", [], labels)
    write_dota(tmp_path, "b", [*HEADER, SHIP, "", PLANE, "1,2, 9,2, 9,8, 1,8, ship"], labels)
    dataset = open_dataset(tmp_path)
    assert describe(dataset).startswith(
        f"{tmp_path.name} is read as DOTA (images/ and {labels}/, rows of DOTA): 2 images, 2 boxes, 1 without objects, 1 ignored box"
    )
    assert (dataset.labels, dataset.problems) == (("large-plane", "ship"), ())
    background, full = (sample.boxes for sample in dataset.samples)
    assert background is not None
    assert full is not None
    assert len(background) == 0
    assert full.class_id.tolist() == [1, 0, 1]
    assert full.xyxy.tolist() == [[6, 5, 20, 18], [25, 10, 35, 20], [1, 2, 9, 8]]
    assert full.crowd is not None
    assert full.crowd.tolist() == [False, True, False]
    assert full.corners is not None
    assert full.corners[0].tolist() == [[10, 5], [20, 10], [16, 18], [6, 13]]


def test_splits_share_their_classes(tmp_path: Path, write_dota: WriteDota) -> None:
    write_dota(tmp_path / "train", "a", [*HEADER, SHIP])
    write_dota(tmp_path / "val", "b", [PLANE])
    assert dataset_splits(tmp_path) == ("train", "val")
    dataset = open_dataset(tmp_path, split="val")
    assert [(sample.name, dataset.labels) for sample in dataset.samples] == [("val/b.png", ("large-plane", "ship"))]
    assert open_dataset(tmp_path, labels="ship").problems[0].what.startswith("the class 'large-plane'")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("1 2 9 2 9 8 1 ship 0", "not x1 y1 x2 y2", id="seven numbers"),
        pytest.param("1 2 9 2 9 8 1 8 0", "a line that is not", id="no class"),
        pytest.param("1 2 9 2 9 8 1 nan ship 0", "no number", id="nan"),
        pytest.param("50 2 59 2 59 8 50 8 ship 0", "outside the image of 40x30", id="outside"),
        pytest.param("1 1 5 5 9 9 3 3 ship 0", "without extent", id="four points on a line"),
        pytest.param("30 2 59 2 59 8 30 8 ship 0", "clipped", id="half outside"),
    ],
)
def test_problems_name_file_and_line(tmp_path: Path, write_dota: WriteDota, line: str, said: str) -> None:
    write_dota(tmp_path, "a", [*HEADER, SHIP, line])
    (problem,) = open_dataset(tmp_path).problems
    assert problem.where == "labelTxt/a.txt:4"
    assert said in problem.what


def test_images_and_labels_without_the_other_are_problems(
    tmp_path: Path, write_dota: WriteDota, write_image: Callable[..., Path]
) -> None:
    write_dota(tmp_path, "a", [SHIP])
    write_image(tmp_path / "images" / "b.png")
    (tmp_path / "labelTxt" / "c.txt").write_text(SHIP)
    dataset = open_dataset(tmp_path)
    assert [(one.where, one.what) for one in dataset.problems] == [
        ("labelTxt/c.txt", "no image of this name"),
        ("b.png", "no label file for this image; left out"),
    ]
    with pytest.raises(InputError, match=r"format=dota: .* has none of its files \(images/ with labelTxt"):
        open_dataset(f"{tmp_path / 'images'}?format=dota")


def test_boxes_that_cross_are_not_the_same_box(tmp_path: Path, write_dota: WriteDota) -> None:
    cross = ["6 10 8 8 24 24 22 26 ship 0", "22 8 24 10 8 26 6 24 ship 0"]
    write_dota(tmp_path, "a", [*cross, cross[0]])
    boxes = open_dataset(tmp_path).samples[0].boxes
    assert boxes is not None
    assert [found for found in odd_boxes(boxes, 40, 30) if found[1] == TWICE] == [(2, TWICE)]
    upright = Boxes(boxes.xyxy, boxes.class_id)
    assert [index for index, kind in odd_boxes(upright, 40, 30) if kind == TWICE] == [1, 2]
    assert check_dataset(tmp_path).parts[0].boxes == 3


def test_converted_to_coco_the_boxes_stay_rotated(tmp_path: Path, write_dota: WriteDota) -> None:
    write_dota(tmp_path / "dota", "a", [SHIP, PLANE])
    before = open_dataset(tmp_path / "dota").samples[0].boxes
    convert(ConvertConfig((str(tmp_path / "dota"),), tmp_path / "coco"))
    after = open_dataset(tmp_path / "coco").samples[0].boxes
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.corners, before.corners, atol=0.01)
    assert after.crowd is not None
    assert after.crowd.tolist() == [False, True]
