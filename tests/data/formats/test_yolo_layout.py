"""Where images and label files are found: sub-folders, suffixes, data.yaml, list files; nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import dataset_splits, open_dataset
from edgecnn.errors import InputError

Writer = Callable[..., Path]
BOX = ["0 0.5 0.5 0.5 0.2"]


def names(folder: Path, split: str | None = None) -> list[str]:
    return [Path(sample.name).stem for sample in open_dataset(folder, split=split).samples]


def boxes(folder: Path) -> int:
    return sum(len(sample.boxes or ()) for sample in open_dataset(folder).samples)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.yaml").write_text("names: [cup]\n")
    return tmp_path


def test_a_suffix_in_upper_case_is_read(folder: Path, write_yolo: Writer) -> None:
    write_yolo(folder / "images", "a", BOX)
    (folder / "labels" / "a.txt").rename(folder / "labels" / "a.TXT")
    assert boxes(folder) == 1


def test_sub_folders_are_read_beside_others(folder: Path, write_yolo: Writer) -> None:
    write_yolo(folder / "images", "a", BOX)
    write_yolo(folder / "images" / "night", "b", BOX)
    assert (names(folder), boxes(folder)) == (["a", "b"], 2)


def test_a_link_to_a_folder_above_is_followed_once(folder: Path, write_yolo: Writer) -> None:
    write_yolo(folder / "images", "a", BOX)
    (folder / "images" / "loop").symlink_to(folder / "images")
    assert names(folder) == ["a"]


def test_files_of_no_split_are_counted(folder: Path, write_yolo: Writer, write_image: Writer) -> None:
    write_yolo(folder / "images" / "train", "a", BOX)
    write_image(folder / "images" / "b.png")
    write_image(folder / "images" / "more" / "c.png")
    dataset = open_dataset(folder)
    assert [(one.where, one.what) for one in dataset.problems] == [
        ("images", "1 image of no split; left out"),
        ("images/more", "1 image of no split; left out"),
    ]


def test_missing_label_files_are_counted(folder: Path, write_yolo: Writer, write_image: Writer) -> None:
    write_yolo(folder / "images", "a", BOX)
    for stem in ("b", "c"):
        write_image(folder / "images" / f"{stem}.png")
    assert open_dataset(folder).notes == ("2 of 3 images have no label file: background without objects",)
    (folder / "labels" / "a.txt").unlink()
    assert [one.what for one in open_dataset(folder).problems] == ["no label file for any of 3 images"]


@pytest.mark.parametrize(
    "yaml",
    [
        pytest.param("train: pictures/images/a\nval: pictures/images/b\n", id="folders"),
        pytest.param(
            "path: /home/me/set\ntrain: /home/me/set/pictures/images/a\nval: ../pictures/images/b\n", id="foreign paths"
        ),
        pytest.param("path: pictures\ntrain: images/a\nval: [images/b]\n", id="base and list"),
        pytest.param("train: C:\\set\\pictures\\images\\a\nval: pictures/images/b/\n", id="Windows path"),
        pytest.param("train: train.txt\nval: lists/val.txt\n", id="list files"),
    ],
)
def test_data_yaml_says_where_the_splits_are(tmp_path: Path, write_yolo: Writer, yaml: str) -> None:
    write_yolo(tmp_path / "pictures" / "images" / "a", "one", BOX)
    write_yolo(tmp_path / "pictures" / "images" / "b", "two", BOX * 2)
    (tmp_path / "lists").mkdir()
    (tmp_path / "train.txt").write_text("./pictures/images/a/one.png\n\n")
    (tmp_path / "lists" / "val.txt").write_text("/data/set/pictures/images/b/two.png\r\n")
    (tmp_path / "data.yaml").write_text(f"names: [cup]\n{yaml}")
    assert dataset_splits(tmp_path) == ("train", "val")
    assert (names(tmp_path, "train"), names(tmp_path, "val")) == (["one"], ["two"])
    assert (boxes(tmp_path), open_dataset(tmp_path).problems) == (3, ())


def test_a_list_file_selects_among_the_images(folder: Path, write_yolo: Writer) -> None:
    for stem in ("a", "b", "c"):
        write_yolo(folder / "images", stem, BOX)
    (folder / "train.txt").write_text("images/c.png\nimages/a.png\nimages/gone.png\n")
    (folder / "data.yaml").write_text("names: [cup]\ntrain: train.txt\n")
    dataset = open_dataset(folder, split="train")
    assert [sample.name for sample in dataset.samples] == ["images/c.png", "images/a.png"]
    assert [(one.where, one.what) for one in dataset.problems] == [("train.txt:3", "no image images/gone.png")]


def test_a_usual_folder_keeps_its_name_and_an_absent_one_is_a_problem(folder: Path, write_yolo: Writer) -> None:
    write_yolo(folder / "train" / "images", "a", BOX)
    write_yolo(folder / "valid" / "images", "b", BOX)
    (folder / "data.yaml").write_text("names: [cup]\ntrain: ../train/images\nval: ../valid/images\ntest: ../test/images\n")
    assert dataset_splits(folder) == ("train", "valid")
    assert [(one.where, one.what) for one in open_dataset(folder).problems] == [
        ("data.yaml", "test: ../test/images, which is not there")
    ]


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        pytest.param("names: [cup]\nnc: 2\n", "has nc: 2, but 1 names; correct one of them", id="nc"),
        pytest.param("names: [cup, cup]\n", "has the class name 'cup' twice", id="twice"),
        pytest.param("names: [cup, ~, '']\n", "have an empty one", id="empty"),
        pytest.param("names: [cup]\nkpt_shape: [17]\n", "has kpt_shape: .*, not a number of points", id="kpt_shape"),
        pytest.param("names: cup\n", "neither a list nor a mapping: 'cup'", id="one text"),
        pytest.param("names: [[cup], plate]\n", "hold .*, which is no name", id="list in a list"),
    ],
)
def test_a_data_yaml_that_contradicts_itself_is_refused(tmp_path: Path, write_yolo: Writer, yaml: str, problem: str) -> None:
    write_yolo(tmp_path / "images", "a", BOX)
    (tmp_path / "data.yaml").write_text(yaml)
    with pytest.raises(InputError, match=problem):
        open_dataset(tmp_path)


def test_two_yaml_files_with_other_names_are_refused_unless_one_is_data_yaml(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", BOX)
    (tmp_path / "a.yaml").write_text("names: [cup]\n")
    (tmp_path / "b.yaml").write_text("names: [plate]\n")
    with pytest.raises(InputError, match=r"different class names in a\.yaml and b\.yaml; call the one"):
        open_dataset(tmp_path)
    (tmp_path / "b.yaml").rename(tmp_path / "data.yaml")
    assert open_dataset(tmp_path).labels == ("plate",)


def test_a_yaml_whose_aliases_never_end_is_one_short_line(tmp_path: Path, write_yolo: Writer) -> None:
    write_yolo(tmp_path / "images", "a", BOX)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    for use in ("names: *a11\n", "names: [cup]\nkpt_shape: *a11\n", "names: &n [*n]\n"):
        (tmp_path / "data.yaml").write_text("\n".join([*lines, use]))
        with pytest.raises(InputError) as caught:
            open_dataset(tmp_path)
        assert len(str(caught.value)) < 600


def test_a_folder_called_like_a_label_file_is_none(folder: Path, write_yolo: Writer) -> None:
    write_yolo(folder / "images", "a", BOX)
    (folder / "labels" / "b.txt").mkdir()
    assert (boxes(folder), open_dataset(folder).problems) == (1, ())
