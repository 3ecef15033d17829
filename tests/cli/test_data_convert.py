"""`edgecnn data convert` from the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.data import open_dataset


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "convert", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A YOLO dataset of two images, with a box each."""
    random = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    for name in "ab":
        assert cv2.imwrite(str(tmp_path / f"set/images/{name}.png"), random.integers(0, 255, (60, 80, 3), np.uint8))
        (tmp_path / f"set/labels/{name}.txt").write_text("0 .5 .5 .5 .5\n")
    (tmp_path / "set" / "classes.txt").write_text("cup\nplate\n")
    return tmp_path / "set"


def test_a_dataset_is_written(folder: Path, tmp_path: Path) -> None:
    found = run(folder, "--out", tmp_path / "out", "--max-side", 40, "--quality", 95, "--classes", "cup,bowl")
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[-2:] == ["set: 2 images; labelled cup 2; not labelled bowl", f"wrote {tmp_path / 'out'}"]
    dataset = open_dataset(tmp_path / "out")
    assert dataset.samples[0].read().shape == (30, 40, 3)
    assert dataset.unlabelled == {1}


def test_an_error_is_one_line(folder: Path) -> None:
    found = run(folder, "--out", folder)
    assert found.exit_code == 2
    assert "it holds something already; name a new folder, or remove this one" in found.output


def test_a_shipped_model_can_be_the_teacher(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from edgecnn.shipped import artifact

    teacher = f"{artifact(Path('cups'))}?threshold=0.5&lower=0.01"
    found = run(folder, "--out", tmp_path / "out", "--classes", "cup,mug", "--pseudo", teacher)
    assert found.exit_code == 0, found.output
    assert "by teachers mug" in found.output
    assert open_dataset(tmp_path / "out").unlabelled == frozenset()
