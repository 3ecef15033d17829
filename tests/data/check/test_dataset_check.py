"""What a check of a dataset counts and finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data.check.dataset import check_dataset
from edgecnn.data.check.text import to_document, to_lines

Writer = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_yolo: Writer) -> Path:
    """Three images to train on and one to validate with, with boxes of two of three classes."""
    (tmp_path / "data.yaml").write_text("names: [cup, plate, fork]\n")
    for number, lines in enumerate((["0 .5 .5 .5 .5"], ["0 .5 .5 .5 .5", "1 .3 .3 .2 .2"], [])):
        write_yolo(tmp_path / "train" / "images", f"t{number}", lines)
        _noise(tmp_path / "train" / "images" / f"t{number}.png", number)
    write_yolo(tmp_path / "val" / "images", "v0", ["1 .5 .5 .5 .5"])
    _noise(tmp_path / "val" / "images" / "v0.png", 9)
    return tmp_path


def _noise(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> None:
    """An image of random spots that survive another size."""
    spots = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(spots, size, interpolation=cv2.INTER_CUBIC))


def test_a_clean_dataset_is_counted_by_split(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    check = check_dataset(str(folder), progress=lambda done, total: seen.append((done, total)))
    train, val = check.parts
    assert (train.name, train.images, train.boxes, train.background) == ("train", 3, 3, 1)
    assert (val.name, val.images, val.boxes, dict(val.class_boxes)) == ("val", 1, 1, {1: 1})
    assert dict(train.class_images) == {0: 2, 1: 1}
    assert check.empty_classes == ["fork"]
    assert (check.faults(), check.copies, check.near_copies) == ([], (), ())
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    lines = to_lines(check)
    assert "  train: 3 images; 3 boxes (3 small, 0 medium, 0 large); 1 without objects; 40x30 pixels" in lines
    assert [line for line in lines if line.endswith(("0", "1"))][:3] == [
        "  cup        2    0",
        "  plate      1    1",
        "  fork       0    0",
    ]
    assert "1 class without any box" in lines
    assert "  val: cup" in lines
    assert lines[-1].endswith(": no problem found")


def test_the_same_image_in_two_splits_is_a_fault(folder: Path) -> None:
    shutil.copy(folder / "train" / "images" / "t0.png", folder / "val" / "images" / "v0.png")
    check = check_dataset(str(folder))
    assert [[check.shown(place) for place in places] for places in check.leaks] == [
        ["train/images/t0.png (train)", "val/images/v0.png (val)"]
    ]
    assert check.faults() == ["1 image in more than one split", "1 image with copies that are labelled differently"]


def test_a_copy_in_other_size_and_quality_is_found_as_nearly_equal(folder: Path) -> None:
    image = cv2.imread(str(folder / "train" / "images" / "t0.png"))
    (folder / "val" / "images" / "v0.png").unlink()
    cv2.imwrite(str(folder / "val" / "images" / "v0.jpg"), cv2.resize(image, (80, 60)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    check = check_dataset(str(folder))
    assert (len(check.copies), len(check.near_copies)) == (0, 1)
    assert "1 pair of nearly equal images in different splits" in to_lines(check)
    assert check.faults() == []


def test_damaged_files_and_bad_rows_do_not_end_the_check(folder: Path) -> None:
    data = (folder / "train" / "images" / "t1.png").read_bytes()
    damaged = bytearray(data)
    damaged[60:90] = bytes(30)  # the header and the end are whole: only decoding shows it
    (folder / "train" / "images" / "t1.png").write_bytes(bytes(damaged))
    (folder / "val" / "labels" / "v0.txt").write_text("7 .5 .5 .5 .5\n1 .5 .5 .5 .5\n")
    check = check_dataset(str(folder))
    assert [problem.where for problem in check.problems] == ["train/images/t1.png", "val/labels/v0.txt:1"]
    assert (check.images, check.parts[0].boxes, check.parts[1].boxes) == (4, 1, 1)
    assert check.faults() == ["2 problems in the files"]


def test_boxes_to_look_at_are_named_by_kind(folder: Path) -> None:
    rows = ["0 .5 .5 .05 .5", "1 .5 .5 1 1", "0 .2 .2 .2 .2", "0 .2 .2 .2 .2", "1 .2 .2 .2 .2"]
    (folder / "val" / "labels" / "v0.txt").write_text("\n".join(rows))
    check = check_dataset(str(folder))
    assert dict(check.odd_counts) == {
        "a side below 4 px": 1,
        "as large as the image": 1,
        "the same box twice": 1,
        "two classes for one box": 1,
    }
    assert "  val/images/v0.png (val): cup (19, 7.5, 21, 22.5): a side below 4 px" in to_lines(check, shown=100)


def test_clips_in_several_splits_are_named(folder: Path) -> None:
    for split, stem, number in (("train", "t0", 1), ("val", "v0", 2)):
        for kind, suffix in (("images", "png"), ("labels", "txt")):
            place = folder / split / kind
            (place / f"{stem}.{suffix}").rename(place / f"park_mp4-{number}.{suffix}")
    check = check_dataset(str(folder))
    assert check.shared_groups == (("park", ("train", "val")),)
    assert check.faults() == []
    assert to_lines(check)[-1].endswith(": look at 1 group of images (clips) in more than one split, below")


def test_a_random_split_is_checked_part_by_part(tmp_path: Path, write_yolo: Writer) -> None:
    for number in range(5):
        write_yolo(tmp_path / "images", f"{number}", ["0 .5 .5 .5 .5"])
    check = check_dataset(f"{tmp_path}?val_fraction=0.2&labels=cup")
    assert [(part.name, part.images) for part in check.parts] == [("train", 4), ("val", 1)]
    assert len(check.leaks) == 1  # all five have the same pixels


def test_a_split_that_only_repeats_others_is_no_leak(tmp_path: Path, write_voc: Writer) -> None:
    lists = {"train": "a\n", "val": "b\n", "trainval": "a\nb\n"}
    for number, stem in enumerate("ab"):
        write_voc(tmp_path, stem, [("cup", (2, 2, 20, 20))])
        _noise(tmp_path / "JPEGImages" / f"{stem}.png", number)
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name, text in lists.items():
        (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    check = check_dataset(str(tmp_path))
    assert [part.name for part in check.parts] == ["train", "val"]
    assert check.faults() == []
    few = check_dataset(str(tmp_path), limit=1)  # of trainval the first image is the one of train
    assert ([(part.name, part.images) for part in few.parts], few.faults()) == ([("train", 1), ("val", 1)], [])


def test_classes_by_folder_and_plain_images_are_checked(tmp_path: Path) -> None:
    for name, seed in (("cup", 1), ("plate", 2)):
        (tmp_path / name).mkdir()
        _noise(tmp_path / name / "a.png", seed)
    shutil.copy(tmp_path / "cup" / "a.png", tmp_path / "plate" / "b.png")
    check = check_dataset(str(tmp_path))
    assert check.faults() == ["1 image with copies that are labelled differently"]
    plain = check_dataset(str(tmp_path / "plate"))
    assert (plain.images, plain.labels, plain.faults()) == (2, (), [])


def test_a_scene_without_end_is_checked_in_part() -> None:
    check = check_dataset("scene:cups?size=96x64&every=50", limit=3)
    assert (check.images, check.problems) == (3, ())
    assert to_document(check)["read_as"] == ""


def test_the_document_is_plain_json(folder: Path) -> None:
    shutil.copy(folder / "train" / "images" / "t0.png", folder / "val" / "images" / "v0.png")
    document = json.loads(json.dumps(to_document(check_dataset(str(folder)))))
    assert (document["schema"], document["version"]) == ("edgecnn.dataset_check", 1)
    assert document["parts"][0]["boxes_by_class"] == {"cup": 2, "plate": 1}
    assert document["copies_across_splits"] == [["train/images/t0.png (train)", "val/images/v0.png (val)"]]


@pytest.mark.real_data
def test_bccd_has_two_invalid_boxes(real_data: Path) -> None:
    check = check_dataset(str(real_data / "bccd" / "BCCD"))
    assert check.images == 364
    assert sorted(problem.where for problem in check.problems) == ["BloodImage_00338.xml:158", "BloodImage_00343.xml:50"]


def test_sizes_that_differ_in_one_direction_only(folder: Path) -> None:
    _noise(folder / "train" / "images" / "t0.png", 0, (40, 50))
    assert any(line.endswith("40 pixels wide, 30 to 50 high") for line in to_lines(check_dataset(str(folder))))
