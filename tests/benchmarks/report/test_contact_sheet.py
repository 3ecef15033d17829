"""The pictures of a dataset check: of each class, boxes drawn where they are."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.report.contact_sheet import SheetTile, class_pictures, copy_pictures, odd_pictures
from edgecnn.data.check.dataset import check_dataset


def decoded(picture: SheetTile) -> np.ndarray:
    data = base64.b64decode(picture.uri.partition(",")[2])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def write(folder: Path, rows: list[str], count: int = 1) -> Path:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((400, 400, 3), 90 + number, np.uint8))
        (folder / "labels" / f"{number}.txt").write_text("\n".join(rows))
    (folder / "classes.txt").write_text("cup\nplate\n")
    return folder


def test_each_class_has_its_pictures_with_boxes_on_the_objects(tmp_path: Path) -> None:
    check = check_dataset(str(write(tmp_path / "set", ["0 .5 .5 .5 .5"], count=9)))
    ((name, pictures),) = class_pictures(check)
    assert (name, len(pictures)) == ("cup", 6)
    image = decoded(pictures[0]).astype(int)
    coloured = np.abs(image - image.mean(2, keepdims=True)).max(2) > 40
    rows, columns = np.nonzero(coloured[150:])  # below the caption
    assert (columns.min(), columns.max(), rows.max() + 150) == pytest.approx((100, 300, 300), abs=4)
    assert not coloured[:80].any()


def test_boxes_to_look_at_are_shown_closely_and_copies_side_by_side(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", ["0 .5 .5 .5 .5", "1 .2 .2 .005 .1"])
    (folder / "images" / "copy.png").write_bytes((folder / "images" / "0.png").read_bytes())
    check = check_dataset(str(folder))
    (close,) = odd_pictures(check)
    assert close.words == "images/0.png: plate (79, 60, 81, 100): a side below 4 px"
    ((left, right),) = copy_pictures(check)
    assert (left.words, right.words) == ("images/0.png", "images/copy.png")


def test_with_many_boxes_captions_do_not_hide_the_objects(tmp_path: Path) -> None:
    rows = [f"0 {x / 20:.2f} {y / 20:.2f} .03 .03" for x in range(2, 19, 2) for y in range(2, 19, 2)]
    many = class_pictures(check_dataset(str(write(tmp_path / "many", rows))))[0][1][0]
    few = class_pictures(check_dataset(str(write(tmp_path / "few", rows[:20]))))[0][1][0]
    image = decoded(many).astype(int)
    assert (np.abs(image - image.mean(2, keepdims=True)).max(2) > 40).mean() < 0.1
    assert decoded(few).shape == image.shape
