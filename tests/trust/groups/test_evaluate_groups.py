from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.trust.groups.group_key import GroupKey, parse_group_key
from edgecnn.trust.groups.properties import brightness, colour, position, size
from tests.trust.paired.test_evaluate_pair import LEVELS, NAMES, classifier


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Images of camera b are darker: its grey ones look dark, and its bright ones grey. The CSV also names camera c, without an image."""
    folder = tmp_path / "set"
    lines = ["file,camera", "nowhere.png,c"]
    for camera, lost in (("a", 0), ("b", 70)):
        for name, level in zip(NAMES, LEVELS, strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(12):
                file = f"{camera}{name}{number}.png"
                cv2.imwrite(str(folder / name / file), np.full((32, 32, 3), max(level - lost, 0), np.uint8))
                lines.append(f"{file},{camera}")
    (folder / "cameras.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("key", ["camera", "cameras.csv:camera"])
def test_a_planted_bias_is_named_and_an_empty_group_is_said(
    key: str, cameras: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cameras)
    document, page = tmp_path / "groups.json", tmp_path / "groups.html"
    result = call(classifier(tmp_path / "a.onnx"), "--data", cameras, "--group-by", key, "--json", document, "--html", page)
    assert result.exit_code == 0, result.output
    assert "b is served worse: 33.3% right, 66.7 points behind the others" in result.output
    assert "the group c is empty: nothing to measure" in result.output
    found = json.loads(document.read_text())
    assert found["seed"] == 0
    assert [(group["name"], group["instances"], group["right"]) for group in found["groups"]] == [("b", 36, 12), ("a", 36, 36)]
    low, high = found["gap"]["interval"]
    assert found["gap"]["value"] == pytest.approx(2 / 3)
    assert 0.4 < low < 2 / 3 < high < 0.9
    assert "b is served worse" in page.read_text()


def test_equal_groups_are_not_named(cameras: Path, tmp_path: Path) -> None:
    for file in cameras.rglob("b*.png"):
        file.unlink()
    (cameras / "cameras.csv").write_text(
        "file,side\n" + "\n".join(f"{file.name},{'lr'[int(file.stem[-1]) % 2]}" for file in cameras.rglob("*.png"))
    )
    result = call(classifier(tmp_path / "a.onnx"), "--data", cameras, "--group-by", "side")
    assert "no group is behind the others beyond chance" in result.output


def test_a_class_that_is_never_named_is_warned_of(cameras: Path, tmp_path: Path) -> None:
    result = call(classifier(tmp_path / "a.onnx", grey=-200), "--data", cameras, "--group-by", "class")
    assert "warning: the mean hides a class: grey, 33.3% of the instances, is never named" in result.output


def test_folders_and_brightness(cameras: Path, tmp_path: Path) -> None:
    model = classifier(tmp_path / "a.onnx")
    assert "grey" in call(model, "--data", cameras, "--group-by", "folder").output
    result = call(model, "--data", cameras, "--group-by", "brightness:2")
    assert result.exit_code == 0
    assert "0 to " in result.output


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("nothing", "no CSV file beside the data has a column 'nothing'"),
        ("cameras.csv", "names no column"),
        ("size:none", "is no whole number from 2 on"),
        ("colour:3", "takes no number"),
        ("position", "needs boxes"),
        ("there.csv:x", "does not exist"),
    ],
)
def test_what_can_not_be_grouped_is_one_line(key: str, words: str, cameras: Path, tmp_path: Path) -> None:
    result = call(classifier(tmp_path / "a.onnx"), "--data", cameras, "--group-by", key)
    assert result.exit_code == 2
    assert words in result.output


def test_keys() -> None:
    assert parse_group_key("size:5") == GroupKey("size", bins=5)
    assert parse_group_key("color") == GroupKey("colour")
    assert parse_group_key("folder:2").title == "folder 2"
    assert parse_group_key("camera").title == "camera"
    with pytest.raises(InputError, match="empty"):
        parse_group_key("")


@pytest.mark.parametrize(
    ("bgr", "name"),
    [
        ((0, 0, 220), "red"),
        ((220, 0, 0), "blue"),
        ((0, 200, 0), "green"),
        ((10, 10, 10), "black"),
        ((240, 240, 240), "white"),
        ((128, 128, 128), "grey"),
    ],
)
def test_properties_of_a_box(bgr: tuple[int, int, int], name: str) -> None:
    image = np.full((90, 60, 3), 128, np.uint8)
    image[60:80, 40:50] = bgr
    box = np.float32([40, 60, 50, 80])
    assert colour(image, box) == name
    assert position(image, box) == "bottom right"
    assert size(image, box) == pytest.approx(200**0.5)
    assert brightness(image, box) == pytest.approx(float(cv2.cvtColor(np.uint8([[bgr]]), cv2.COLOR_BGR2GRAY)[0, 0]), abs=1)
    assert size(image, np.full(4, np.nan, np.float32)) == pytest.approx(5400**0.5)
