"""`edgecnn data check` from the command line: exit codes, the page, the JSON document."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "check", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A YOLO dataset of two splits with a box in each image."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / "set" / split / kind).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "set" / split / "images" / "a.png"), random.integers(0, 255, (60, 80, 3), np.uint8))
        (tmp_path / "set" / split / "labels" / "a.txt").write_text("0 .5 .5 .5 .5\n1 .2 .2 .02 .3\n")
    (tmp_path / "set" / "classes.txt").write_text("<b>cup</b>\nplate\n")
    return tmp_path / "set"


def test_a_clean_dataset_ends_with_0_and_one_with_problems_only_with_strict_with_1(folder: Path) -> None:
    clean = run(folder, "--strict")
    assert (clean.exit_code, clean.output.strip().splitlines()[-1]) == (0, "set: no problem found")
    shutil.copy(folder / "train" / "images" / "a.png", folder / "val" / "images" / "a.png")
    assert run(folder).exit_code == 0
    strict = run(folder, "--strict")
    assert (strict.exit_code, strict.output.strip().splitlines()[-1]) == (1, "set: 1 image in more than one split")


def test_the_page_is_self_contained_and_shows_each_class(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    shutil.copy(folder / "train" / "images" / "a.png", folder / "val" / "images" / "a.png")
    result = run(folder, "--html", tmp_path / "check.html", "--json", tmp_path / "check.json")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "check.html").read_text()
    assert "&lt;b&gt;cup&lt;/b&gt;" in page
    assert "<b>cup" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) >= 6  # two of each class, two close-ups, two copies
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "<script" not in page
    assert json.loads((tmp_path / "check.json").read_text())["image_count"] == 2


def test_clips_in_several_splits_are_not_shown_as_clean(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    assert '<p class="verdict clean">' in _page(folder, tmp_path)
    for number, split in enumerate(("train", "val")):
        for path in folder.glob(f"{split}/*/a.*"):
            path.rename(path.with_stem(f"park_mp4-{number}"))
    assert '<p class="verdict faulty">set: look at 1 group of images (clips) in more than one split' in _page(folder, tmp_path)


def _page(folder: Path, place: Path) -> str:
    result = run(folder, "--strict", "--html", place / "check.html")
    assert result.exit_code == 0, result.output
    return (place / "check.html").read_text()


def test_the_help_of_data_shows_whole_summaries() -> None:
    assert "..." not in CliRunner().invoke(main, ["data", "--help"]).output.partition("Commands:")[2]


def test_a_mistyped_command_is_corrected() -> None:
    found = CliRunner().invoke(main, ["data", "chek"], prog_name="edgecnn")
    assert found.stderr == "error: No such command 'chek'; did you mean 'check'? See edgecnn data --help\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["absent"], "the dataset absent does not exist", id="no dataset"),
        pytest.param(["{folder}", "--html", "{folder}/absent/a.html"], "absent", id="no folder for the page"),
        pytest.param(["{folder}?split=test"], "has no split 'test'", id="no such split"),
    ],
)
def test_an_error_is_one_line(folder: Path, words: list[str], said: str) -> None:
    result = run(*(word.format(folder=folder) for word in words))
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line
