from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def test_class_folders(tmp_path: Path, write_image: Writer) -> None:
    for name in ("dog/2.png", "cat/1.png", "dog/1.png"):
        write_image(tmp_path / name)
    dataset = open_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert [(sample.name, sample.label) for sample in dataset.samples] == [("cat/1.png", 0), ("dog/1.png", 1), ("dog/2.png", 1)]


def test_class_folders_of_a_split_keep_the_labels_of_all(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "train" / "cat" / "1.png")
    write_image(tmp_path / "test" / "dog" / "1.png")
    dataset = open_dataset(tmp_path, split="test")
    assert (dataset.labels, dataset.samples[0].label) == (("cat", "dog"), 1)


def test_problems_of_class_folders(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "cat" / "1.png")
    (tmp_path / "cat" / "2.png").write_bytes(b"")
    (tmp_path / "dog").mkdir()
    write_image(tmp_path / "stray" / "1.png")
    problems = open_dataset(tmp_path, labels=("cat", "dog")).problems
    assert {one.where: one.what for one in problems} == {
        "cat/2.png": "an empty file",
        "dog": "a class without images",
        "stray": "a folder that is none of the classes cat, dog",
    }


def test_plain_images_have_no_truth(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"x")
    dataset = open_dataset(tmp_path)
    assert (len(dataset), dataset.labels, dataset.samples[0].label) == (1, (), None)
    assert [one.where for one in dataset.problems] == ["b.png"]


def test_two_kinds_in_one_folder_are_named(tmp_path: Path, write_idx: Writer, write_voc: Writer) -> None:
    write_idx(tmp_path)
    write_voc(tmp_path, "a", [("dog", (1, 2, 11, 12))])
    with pytest.raises(
        InputError, match=r"IDX \(train-images.*\) or Pascal VOC \(Annotations/\*\.xml\); add format=idx or format=voc"
    ):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda path: None, "data does not exist; check the path", id="missing"),
        pytest.param(lambda path: path.mkdir(), "is not a known kind of dataset", id="empty folder"),
        pytest.param(lambda path: path.write_text("x"), "neither a folder nor a COCO .json file", id="a text file"),
    ],
)
def test_what_is_no_dataset_is_one_line(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "data"
    make(path)
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)


def test_a_split_of_a_dataset_without_splits_is_refused(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "cat" / "1.png")
    with pytest.raises(InputError, match="no split 'test': it is not divided; leave --split out, or use train or val"):
        open_dataset(tmp_path, split="test")


def test_labels_from_a_file(tmp_path: Path, write_image: Writer) -> None:
    write_image(tmp_path / "data" / "cat" / "1.png")
    names = tmp_path / "names.txt"
    names.write_text("dog\ncat\n\n")
    assert open_dataset(tmp_path / "data", labels=str(names)).samples[0].label == 1


def test_limit_and_every(tmp_path: Path, write_image: Writer) -> None:
    for number in range(9):
        write_image(tmp_path / "cat" / f"{number}.png")
    assert len(open_dataset(tmp_path, limit=3)) == 3
    assert [sample.name for sample in open_dataset(tmp_path).take(every=4).samples] == ["cat/0.png", "cat/4.png", "cat/8.png"]


def test_the_scene_is_a_dataset() -> None:
    dataset = open_dataset("scene:cups?seed=3", limit=2)
    assert (dataset.task, len(dataset), len(dataset.labels)) == ("detect", 2, 4)
    assert dataset.samples[1].boxes is not None
    assert dataset.samples[1].read().ndim == 3


def test_the_scene_has_no_splits() -> None:
    with pytest.raises(InputError, match="a scene has no splits"):
        open_dataset("scene:cups?count=10", split="test")
