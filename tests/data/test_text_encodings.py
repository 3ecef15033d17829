"""A byte order mark, as Windows editors write it, is no text in any kind of dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import open_dataset

Writer = Callable[..., Path]
BOM = b"\xef\xbb\xbf"


def mark(path: Path) -> None:
    path.write_bytes(BOM + path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("file", ["labels/a.txt", "classes.txt", "data.yaml"])
def test_yolo(tmp_path: Path, write_yolo: Writer, file: str) -> None:
    write_yolo(tmp_path / "images", "a", ["1 0.5 0.5 0.5 0.2"])
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    if file == "data.yaml":
        (tmp_path / file).write_text("names: [cat, dog]\n")
    mark(tmp_path / file)
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert (dataset.labels, dataset.problems, boxes.class_id.tolist()) == (("cat", "dog"), (), [1])


def test_coco(tmp_path: Path, write_coco: Writer) -> None:
    mark(write_coco(tmp_path, [{"id": 1, "image_id": 11, "category_id": 7, "bbox": [1, 2, 10, 10]}]))
    dataset = open_dataset(tmp_path)
    assert (dataset.labels, dataset.problems) == (("cat", "dog"), ())
    assert [len(sample.boxes) for sample in dataset.samples if sample.boxes is not None] == [1, 0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_voc(tmp_path: Path, write_voc: Writer, encoding: str) -> None:
    path = write_voc(tmp_path, "a", [("cat", (1, 2, 11, 12))])
    path.write_text(path.read_text(), encoding=encoding)
    dataset = open_dataset(tmp_path)
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert (dataset.labels, dataset.problems, boxes.xyxy.tolist()) == (("cat",), (), [[1, 2, 11, 12]])


def test_a_list_of_images(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "set" / "cat" / "a.png")
    write_image(tmp_path / "set" / "cat" / "b.png")
    (tmp_path / "list.txt").write_bytes(BOM + b"b.png\r\n")
    dataset = open_dataset(f"{tmp_path / 'set'}?list={tmp_path / 'list.txt'}")
    assert ([sample.name for sample in dataset.samples], dataset.problems) == (["cat/b.png"], ())
