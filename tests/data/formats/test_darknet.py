"""YOLO label files beside the images, as darknet wants them: obj.data, folders of splits, a flat folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.fixture
def write_beside(tmp_path: Path, write_image: Writer) -> Callable[[str, str], None]:
    def write(folder: str, stem: str, row: str = "1 0.5 0.5 0.5 0.2") -> None:
        write_image(tmp_path / folder / f"{stem}.png").with_suffix(".txt").write_text(row)

    return write


def test_obj_data_names_lists_and_classes(tmp_path: Path, write_beside: Callable[..., None], write_image: Writer) -> None:
    for stem in ("a", "b"):
        write_beside("obj_train_data", stem)
    write_beside("obj_valid_data", "c")
    write_image(tmp_path / "obj_train_data" / "unlisted.png")
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    (tmp_path / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n"
    )
    (tmp_path / "train.txt").write_text("data/obj_train_data/b.png\ndata/obj_train_data/a.png\ndata/obj_train_data/gone.png\n")
    (tmp_path / "valid.txt").write_text("C:\\somewhere\\data\\obj_valid_data\\c.png\n")
    dataset = open_dataset(tmp_path, split="train")
    assert dataset_splits(tmp_path) == ("train", "val")
    assert (dataset.kind, dataset.labels) == ("YOLO", ("cat", "dog"))
    assert [Path(sample.name).name for sample in dataset.samples] == ["b.png", "a.png"]
    assert ("train.txt:3", "no image data/obj_train_data/gone.png") in [(one.where, one.what) for one in dataset.problems]
    assert [Path(sample.name).name for sample in open_dataset(tmp_path, split="val").samples] == ["c.png"]


def test_each_split_is_a_folder(tmp_path: Path, write_beside: Callable[..., None]) -> None:
    for split in ("train", "valid", "test"):
        write_beside(split, "a")
        (tmp_path / split / "_darknet.labels").write_text("cat\ndog\n")
    dataset = open_dataset(tmp_path, split="val")
    assert dataset_splits(tmp_path) == ("train", "valid", "test")
    assert (dataset.labels, dataset.problems) == (("cat", "dog"), ())
    boxes = dataset.samples[0].boxes
    assert boxes is not None
    assert boxes.class_id.tolist() == [1]


def test_one_folder_with_a_list_beside(tmp_path: Path, write_beside: Callable[..., None]) -> None:
    write_beside("", "a")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "train.txt").write_text("a.png\n")
    dataset = open_dataset(tmp_path)
    assert (len(dataset), dataset.labels, dataset.problems) == (1, ("cat", "dog"), ())


def test_text_that_is_no_row_makes_no_labels(tmp_path: Path, write_beside: Callable[..., None]) -> None:
    write_beside("", "a", row="a photo of 3 cats")
    dataset = open_dataset(tmp_path)
    assert (dataset.kind, dict(dataset.left_out)[".txt"]) == ("images without labels", 1)


def test_missing_names_are_asked_for(tmp_path: Path, write_beside: Callable[..., None]) -> None:
    write_beside("", "a")
    with pytest.raises(InputError, match="has no class names"):
        open_dataset(tmp_path)
    assert open_dataset(f"{tmp_path}?labels=cat,dog").labels == ("cat", "dog")
