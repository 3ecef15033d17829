from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, held_out_split, open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]


@pytest.fixture
def angles(tmp_path: Path, write_image: Writer) -> Callable[..., Path]:
    """Write two images and the rows of a values.csv, and give the folder."""

    def write(*rows: str, folder: str = "", images: str = "") -> Path:
        for name in ("a.png", "b.png"):
            write_image(tmp_path / folder / images / name)
        (tmp_path / folder / "values.csv").write_text("\n".join(rows))
        return tmp_path

    return write


@pytest.mark.parametrize("images", ["", "images"])
def test_each_image_has_its_value(angles: Callable[..., Path], images: str) -> None:
    dataset = open_dataset(angles("file,angle", "b.png,-12.5", "", "a.png,3e1", images=images))
    assert (dataset.task, dataset.labels, dataset.problems) == ("regress", ("angle",), ())
    assert [(Path(one.name).name, one.value) for one in dataset.samples] == [("b.png", -12.5), ("a.png", 30.0)]
    assert dataset.samples[0].read().shape == (30, 40, 3)
    assert dataset.samples[0].label is None


def test_splits(angles: Callable[..., Path]) -> None:
    angles("file,angle", "a.png,1", folder="train")
    folder = angles("file,angle", "a.png,2", "b.png,3", folder="test")
    assert dataset_splits(folder) == ("train", "test")
    assert held_out_split(folder) == "test"
    assert [one.value for one in open_dataset(folder, split="test").samples] == [2.0, 3.0]
    assert len(open_dataset(folder)) == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param("a.png,wide", "'wide', which is no finite number; left out", id="no number"),
        pytest.param("a.png,nan", "'nan', which is no finite number; left out", id="nan"),
        pytest.param("a.png,", "'', which is no finite number; left out", id="no value"),
        pytest.param("c.png,1", "'c.png', and no such file; left out", id="no image"),
        pytest.param("a.png,1,2", "3 columns instead of file,value; left out", id="columns"),
        pytest.param("b.png,1", "b.png for a second time; left out", id="twice"),
        pytest.param("x" * 300 + ",1", f"'{'x' * 77}...', and no such file; left out", id="a long name"),
        pytest.param("bad.png,1", "an empty file; left out", id="empty image"),
    ],
)
def test_a_bad_line_is_named(angles: Callable[..., Path], row: str, said: str) -> None:
    folder = angles("file,angle", "b.png,1", row)
    (folder / "bad.png").write_bytes(b"")
    dataset = open_dataset(folder)
    assert [(one.where, one.what) for one in dataset.problems] == [("values.csv:3", said)]
    assert len(dataset) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(("a.png,1",), "instead of a header such as file,value", id="no header"),
        pytest.param((), "instead of a header such as file,value", id="empty file"),
        pytest.param(("file,angle,more", "a.png,1,2"), "instead of a header such as file,value", id="three columns"),
        pytest.param(("file,angle", "c.png,1"), r"has no usable image \(problems: 1", id="no usable image"),
    ],
)
def test_a_file_without_use_is_one_line(angles: Callable[..., Path], rows: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        open_dataset(angles(*rows))
    assert "\n" not in str(caught.value)


def test_folders_of_windows_and_images_without_a_row(angles: Callable[..., Path]) -> None:
    dataset = open_dataset(angles("file,angle", "images\\a.png,1", images="images"))
    assert ([one.name for one in dataset.samples], dataset.problems) == (["images/a.png"], ())
    assert dict(dataset.left_out)["images without a row"] == 1


def test_two_names_of_a_value_contradict(angles: Callable[..., Path]) -> None:
    angles("file,angle", "a.png,1", folder="train")
    folder = angles("file,speed", "a.png,2", folder="test")
    with pytest.raises(InputError, match="angle, speed"):
        open_dataset(folder)


def test_values_are_divided_like_all_others(angles: Callable[..., Path]) -> None:
    folder = angles("file,angle", "a.png,1", "b.png,2")
    assert [len(open_dataset(f"{folder}?split={part}&val_fraction=0.5")) for part in ("train", "val")] == [1, 1]
