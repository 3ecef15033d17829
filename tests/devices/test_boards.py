"""Board profiles from TOML files; the files here are made up for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.devices import boards
from edgecnn.devices.profile import DeviceProfile
from edgecnn.errors import InputError

WHOLE = """
name = "Test Board 5"
arch = "aarch64"
cpu = "Cortex-A76"
cores = 4
usable_cpus = 3
features = ["neon", "dotprod"]
memory_mib = 8192
formats = ["onnx", "tflite"]
"""


def test_a_whole_file_is_a_profile(tmp_path: Path) -> None:
    (tmp_path / "test-board-5.toml").write_text(WHOLE)
    profile = boards.load("test-board-5", tmp_path)
    assert profile == DeviceProfile(
        "Test Board 5", "aarch64", "Cortex-A76", 4, 3, ("neon", "dotprod"), memory_mib=8192, formats=("onnx", "tflite")
    )
    assert profile.int8_path == "dotprod"


def test_a_board_may_use_all_its_cores_unless_its_file_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text('name = "Small"\narch = "armv7l"\ncpu = "Cortex-A7"\ncores = 2\n')
    assert boards.load("small", tmp_path).usable_cpus == 2


def test_names_are_sorted_and_other_files_are_not_boards(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", "notes.txt"):
        (tmp_path / name).write_text(WHOLE)
    assert boards.names(tmp_path) == ("a", "b")


def test_every_shipped_board_loads() -> None:
    assert all(boards.load(name).name for name in boards.names())


def test_an_unknown_board_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(WHOLE)
    with pytest.raises(InputError, match=r"no board '\.\./a'; known boards: a"):
        boards.load("../a", tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(("cores = 4", ""), "cores is missing; add it", id="missing"),
        pytest.param(("cores = 4", "cores = 0"), "cores is 0; give a positive number", id="below one"),
        pytest.param(("cores = 4", "cores = true"), "cores is True; give a whole number", id="not a number"),
        pytest.param(("cores = 4", "cores = 4\nthreads = 4"), "unknown field threads; the fields are name, arch", id="unknown"),
        pytest.param(('"dotprod"', '"sse9"'), "unknown entry 'sse9' in features; known are sse4.2", id="feature"),
        pytest.param(('"tflite"', "7"), "unknown entry 7 in formats; known are onnx", id="format"),
        pytest.param(("cores = 4", "cores ="), "board.toml is not valid TOML", id="syntax"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_is_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "board.toml").write_text(WHOLE.replace(*change))
    with pytest.raises(InputError) as refused:
        boards.load("board", tmp_path)
    assert said in str(refused.value)
    assert "board.toml" in str(refused.value)
    assert "\n" not in str(refused.value)
