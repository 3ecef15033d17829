"""Signals in class folders, and the generated ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.signals.window_image import to_image


def write(path: Path, samples: int, *, header: str = "time,a,b", rate: float = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{index / rate},{index % 7},{index % 5}" for index in range(samples)]
    path.write_text("\n".join([header, *rows]))


def test_each_window_of_a_class_folder_is_a_sample(tmp_path: Path) -> None:
    write(tmp_path / "on" / "1.csv", 4096 + 1024)
    write(tmp_path / "off" / "1.csv", 2048)
    write(tmp_path / "off" / "short.csv", 2000)
    found = open_dataset(tmp_path)
    assert (found.task, found.labels, found.kind) == ("signal", ("off", "on"), "signals")
    assert [(sample.name, sample.label, sample.group) for sample in found.samples[:2]] == [
        ("off/1.csv@0", 0, "off/1.csv"),
        ("on/1.csv@0", 1, "on/1.csv"),
    ]
    assert len(found) == 5
    assert found.samples[0].read().shape == (2, 2048, 3)
    assert found.signal is not None
    assert (found.signal.channels, found.signal.hop) == (("a", "b"), 1024)
    assert found.signal.rate_hz == pytest.approx(100)
    assert not found.left_out


def test_files_that_do_not_fit_the_first_are_problems(tmp_path: Path) -> None:
    write(tmp_path / "on" / "1.csv", 2048)
    write(tmp_path / "on" / "2.csv", 2048, rate=200)
    write(tmp_path / "on" / "3.csv", 2048, header="time,a,c")
    (tmp_path / "on" / "4.csv").write_text("a,b\n1\n")
    found = open_dataset(tmp_path)
    assert len(found) == 1
    assert [problem.where for problem in found.problems] == ["on/2.csv", "on/3.csv", "on/4.csv"]


def test_a_window_is_standardized_and_a_constant_one_is_grey() -> None:
    random = np.random.default_rng(0)
    image = to_image(np.stack([random.normal(500, 30, 4000), np.full(4000, 7.0)], 1).astype(np.float32))
    assert image.shape == (2, 4000, 3)
    assert image[0].mean() == pytest.approx(128, abs=0.5)
    assert image[0].std() == pytest.approx(24, abs=0.5)
    assert (image[1] == 128).all()


def test_generated_windows_take_turns() -> None:
    found = open_dataset("scene:bearing?seed=1&count=9&length=256")
    assert [sample.label for sample in found.samples] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert found.samples[0].read().shape == (1, 256, 3)
    assert len(open_dataset("scene:bearing?seed=1", limit=5)) == 5


@pytest.mark.parametrize(
    ("query", "problem"), [("", "without count="), ("?count=x", "count=x"), ("?count=5&speed=1", "no parameter 'speed'")]
)
def test_addresses_of_generated_signals_are_checked(query: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        open_dataset(f"scene:bearing{query}")
