from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.data import Dataset, Problem, open_dataset
from edgecnn.data.problems import check_strict, problem_lines
from edgecnn.errors import InputError

Writer = Callable[..., Path]


def dataset(count: int) -> Dataset:
    return Dataset("cells", "detect", ("a",), [], tuple(Problem(f"{number}.xml:7", "a box") for number in range(count)))


def test_a_clean_dataset_is_not_spoken_of() -> None:
    assert problem_lines(dataset(0)) == []
    check_strict(dataset(0))


def test_the_count_the_first_few_and_how_many_more() -> None:
    assert problem_lines(dataset(1)) == ["1 problem in cells:", "  0.xml:7: a box"]
    lines = problem_lines(dataset(9), shown=2)
    assert lines == ["9 problems in cells:", "  0.xml:7: a box", "  1.xml:7: a box", "  7 more"]


def test_strict_stops_at_the_first() -> None:
    with pytest.raises(InputError, match=r"--strict: cells has 9 problems, the first 0\.xml:7: a box; correct the files"):
        check_strict(dataset(9))


@pytest.mark.parametrize("suffix", [pytest.param(".jpg", id="jpeg"), pytest.param(".png", id="png")])
@pytest.mark.parametrize("kind", ["folders", "yolo", "voc", "coco", "plain"])
def test_a_cut_image_is_named_by_every_loader(
    tmp_path: Path, write_image: Writer, write_yolo: Writer, write_voc: Writer, write_coco: Writer, kind: str, suffix: str
) -> None:
    place = {"folders": "cat", "yolo": "images", "voc": "JPEGImages", "coco": "val", "plain": ""}[kind]
    bad = write_image(tmp_path / place / f"bad{suffix}", width=400, height=300)
    bad.write_bytes(bad.read_bytes()[:-2000])
    write_image(tmp_path / place / "good.png")
    if kind == "yolo":
        for stem in ("good", "bad"):
            write_yolo(tmp_path / "images", stem, []) if stem == "good" else (tmp_path / "labels" / "bad.txt").touch()
    elif kind == "voc":
        write_voc(tmp_path, "good", [("dog", (1, 2, 11, 12))]).with_name("bad.xml").write_text("<annotation></annotation>")
    elif kind == "coco":
        file = write_coco(tmp_path, [])
        file.write_text(file.read_text().replace('"12.png"', f'"bad{suffix}"'))
    problems = open_dataset(tmp_path, labels="cup" if kind == "yolo" else None).problems
    assert [Path(one.where).name for one in problems] == [bad.name]
    assert "cut off" in problems[0].what


@pytest.mark.real_data
def test_the_two_invalid_boxes_of_bccd_are_named_and_stop_a_strict_run(real_data: Path) -> None:
    found = open_dataset(real_data / "bccd")
    assert problem_lines(found) == [
        "2 problems in bccd:",
        "  BloodImage_00338.xml:158: a box without extent: (504, 337, 504, 337); left out",
        "  BloodImage_00343.xml:50: a box without extent: (181, 329, 181, 329); left out",
    ]
    with pytest.raises(InputError, match=r"has 2 problems, the first BloodImage_00338\.xml:158"):
        check_strict(found)
