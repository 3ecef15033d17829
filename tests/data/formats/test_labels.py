from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Dataset, Sample, dataset_splits, open_dataset
from edgecnn.data.for_task import labels_of_boxes
from edgecnn.data.relabel import rename_classes, to_classes
from edgecnn.types import Boxes

Writer = Callable[..., Path]


@pytest.fixture
def tags(tmp_path: Path, write_image: Writer) -> Callable[..., Path]:
    """Write three images and the rows of a labels.csv, and give the folder."""

    def write(*rows: str, folder: str = "") -> Path:
        for name in ("a.png", "b.png", "c.png"):
            write_image(tmp_path / folder / name)
        (tmp_path / folder / "labels.csv").write_text("\n".join(rows))
        return tmp_path

    return write


def test_each_image_has_any_number_of_labels(tags: Callable[..., Path]) -> None:
    dataset = open_dataset(tags("file,labels", "b.png,dog; cat", "a.png,", "c.png,dog"))
    assert (dataset.task, dataset.labels, dataset.kind, dataset.problems) == ("multilabel", ("cat", "dog"), "labels", ())
    assert [(one.name, one.labels) for one in dataset.samples] == [("b.png", {0, 1}), ("a.png", set()), ("c.png", {1})]
    assert dataset.samples[0].classes == {0, 1}


def test_splits_share_their_labels(tags: Callable[..., Path]) -> None:
    tags("file,labels", "a.png,dog", folder="train")
    folder = tags("file,labels", "a.png,cat", folder="test")
    assert dataset_splits(folder) == ("train", "test")
    train = open_dataset(folder, split="train")
    assert (train.labels, train.samples[0].labels) == (("cat", "dog"), {1})
    assert len(open_dataset(folder)) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param("a.png,cow", "'cow', which is none of the labels; left out", id="unknown"),
        pytest.param("d.png,cat", "'d.png', and no such file; left out", id="no image"),
        pytest.param("a.png", "1 columns instead of file,labels; left out", id="columns"),
        pytest.param("b.png,cat", "b.png for a second time; left out", id="twice"),
    ],
)
def test_a_bad_line_is_named(tags: Callable[..., Path], row: str, said: str) -> None:
    dataset = open_dataset(tags("file,labels", "b.png,cat", row), labels=("cat", "dog"))
    assert [(one.where, one.what) for one in dataset.problems] == [("labels.csv:3", said)]
    assert len(dataset) == 1


def test_labels_are_renamed_merged_and_left_out(tags: Callable[..., Path]) -> None:
    dataset = open_dataset(tags("file,labels", "a.png,cat;dog", "b.png,cow"))
    merged = rename_classes(dataset, {"cat": "pet", "dog": "pet"})
    assert (merged.labels, [one.labels for one in merged.samples]) == (("pet", "cow"), [{0}, {1}])
    assert [one.labels for one in to_classes(dataset, ("dog",)).samples] == [{0}, set()]


def test_boxes_are_labels_of_the_image() -> None:
    xyxy, crowd = np.zeros((3, 4), np.float32), np.array([False, True, True])
    boxes = Boxes(xyxy, np.array([1, 1, 2]), None, crowd)
    dataset = Dataset("d", "detect", ("a", "b", "c"), [Sample("x", lambda: np.zeros((2, 2, 3), np.uint8), boxes=boxes)])
    found = labels_of_boxes(dataset, "multilabel")
    assert found.task == "multilabel"
    assert (found.samples[0].labels, found.samples[0].unlabelled, found.samples[0].boxes) == ({1}, {2}, None)
    assert labels_of_boxes(dataset, "classify") is dataset
