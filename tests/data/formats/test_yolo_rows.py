"""Rows of YOLO label files: boxes, key points and polygons are told apart by data.yaml or by all rows of the dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import open_dataset

Writer = Callable[..., Path]
BOX = "0 .5 .5 .4 .4"
POINTS = ".4 .4 {v} .6 .6 {v}"


def boxes_of(folder: Path) -> tuple[list[list[float]], list[str]]:
    """The boxes of the first image in hundredths of its size, and the problems."""
    dataset = open_dataset(folder, labels="cup")
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    return [[round(float(value), 2) for value in row] for row in boxes.xyxy / [0.4, 0.3, 0.4, 0.3]], [
        one.what for one in dataset.problems
    ]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("0\t.5  .5\t.4 .4  ", id="tabs and spaces"),
        pytest.param("0.0 5e-1 5e-1 4e-1 4e-1", id="a decimal class id, exponents"),
        pytest.param("0 .5 .5 .4 .4\r", id="Windows line end"),
        pytest.param("\ufeff0 .5 .5 .4 .4", id="byte order mark"),
        pytest.param(f"{BOX} {POINTS.format(v=2)}", id="two visible points"),
        pytest.param(f"{BOX} {POINTS.format(v=1)}", id="two hidden points, all numbers of which are fractions"),
        pytest.param(f"{BOX} .5 .5 2", id="one point"),
        pytest.param(f"{BOX} {' '.join(['0 0 0'] * 17)}", id="seventeen points that are not labelled"),
        pytest.param("0 .3 .3 .7 .3 .7 .7 .3 .7", id="polygon"),
    ],
)
def test_a_row_has_one_box(tmp_path: Path, write_yolo: Writer, row: str) -> None:
    write_yolo(tmp_path / "images", "a", [row])
    assert boxes_of(tmp_path) == ([[30, 30, 70, 70]], [])


def test_rows_in_utf16_are_read(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", [])
    (tmp_path / "labels" / "a.txt").write_bytes(f"{BOX}\r\n".encode("utf-16"))
    assert boxes_of(tmp_path) == ([[30, 30, 70, 70]], [])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param(f"{BOX} .9", "6 numbers instead of", id="a score"),
        pytest.param("0 .1 .1 .4 .1 .4 .4 .1", "8 numbers instead of", id="half a point"),
        pytest.param("0 16 16 16 16", "in pixels, not fractions", id="pixels"),
        pytest.param("0 0,5 0,5 0,4 0,4", "not all numbers", id="decimal commas"),
        pytest.param("cup .5 .5 .4 .4", "not all numbers", id="the name of a class"),
        pytest.param("0 .1 .1 .4 .1 .3 .1", "without extent", id="a flat polygon"),
        pytest.param(f"{BOX} .4 .4 .6 .6", r"either a polygon or a box with key points \(kpt_shape", id="ambiguous"),
    ],
)
def test_a_row_that_can_not_be_trusted_is_a_problem(tmp_path: Path, write_yolo: Writer, row: str, said: str) -> None:
    write_yolo(tmp_path / "images", "a", [row])
    boxes, problems = boxes_of(tmp_path)
    assert boxes == []
    (what,) = problems
    assert said.replace("\\", "") in what


def test_kpt_shape_decides(tmp_path: Path, write_yolo: Writer) -> None:
    (tmp_path / "data.yaml").write_text("names: [cup]\nkpt_shape: [2, 2]\n")
    write_yolo(tmp_path / "images", "a", [f"{BOX} .4 .4 .6 .6", f"{BOX} .4 .4 .6 .6 .5 .5", BOX])
    boxes, problems = boxes_of(tmp_path)
    assert boxes == [[30, 30, 70, 70]] * 2
    assert problems == ["11 numbers where kpt_shape of data.yaml makes 9; left out"]


def test_a_data_yaml_without_key_points_means_polygons(tmp_path: Path, write_yolo: Writer) -> None:
    (tmp_path / "data.yaml").write_text("names: [cup]\n")
    write_yolo(tmp_path / "images", "a", [f"{BOX} .4 .4 .6 .6"])
    assert boxes_of(tmp_path) == ([[40, 40, 60, 60]], [])


def test_other_files_of_the_dataset_decide(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", [f"{BOX} .4 .4 .6 .6"])
    for stem in ("b", "c"):
        write_yolo(tmp_path / "images", stem, ["0 .1 .1 .4 .1 .4 .4 .1 .4", "0 .8 .8 .9 .8 .9 .9 .85 .95 .8 .9"])
    assert boxes_of(tmp_path) == ([[40, 40, 60, 60]], [])


def test_one_wrong_visibility_does_not_make_polygons_of_all(tmp_path: Path, write_yolo: Writer) -> None:
    four = f"{POINTS} {POINTS}"
    write_yolo(tmp_path / "images", "a", [f"{BOX} {four.format(v=2)}"] * 3 + [f"{BOX} {four.format(v=0.5)}"])
    assert boxes_of(tmp_path) == ([[30, 30, 70, 70]] * 4, [])
