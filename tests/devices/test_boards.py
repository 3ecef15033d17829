"""Boards from TOML files; the files here are made up for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.devices import boards
from edgecnn.devices.boards.board import (
    Accelerator,
    Board,
    Camera,
    CameraMode,
    Cluster,
    EngineFound,
    InstallLine,
    Measured,
    Note,
    UsableResources,
)
from edgecnn.devices.boards.board_text import board_lines, board_table
from edgecnn.devices.profile import DeviceProfile
from edgecnn.errors import InputError

PROFILE = """
name = "Test Board 5"
arch = "aarch64"
cpu = "Cortex-A76"
cores = 4
usable_cpus = 3
features = ["neon", "dotprod"]
memory_mib = 8192
formats = ["onnx", "tflite"]
"""
WHOLE = f"""{PROFILE}
[[notes]]
topic = "heat"
text = "Gets warm."
source = "sheet"

[sources]
sheet = "https://example.org/sheet"
"""


def test_a_whole_file_is_a_profile(tmp_path: Path) -> None:
    (tmp_path / "test-board-5.toml").write_text(PROFILE)
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
        (tmp_path / name).write_text(PROFILE)
    assert boards.names(tmp_path) == ("a", "b")


def test_a_board_of_one_s_own_is_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(WHOLE)
    assert boards.board(str(path)).notes == (Note("heat", "Gets warm.", "sheet"),)


def test_an_unknown_board_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(PROFILE)
    with pytest.raises(InputError, match=r"no board '\.\./a'; known boards: a; or give the path of a \.toml file"):
        boards.board("../a", tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(("cores = 4", ""), "cores is missing", id="missing"),
        pytest.param(("cores = 4", "cores = 0"), "cores is 0, not a whole number from 1", id="below one"),
        pytest.param(("cores = 4", "cores = true"), "cores is true, not a whole number", id="not a number"),
        pytest.param(("cores = 4", "cores = 4\nthreads = 4"), "threads is not a known field", id="unknown"),
        pytest.param(('"dotprod"', '"sse9"'), "features[1] is 'sse9', not one of sse4.2", id="feature"),
        pytest.param(('"tflite"', "7"), "formats[1] is 7, not one of onnx", id="format"),
        pytest.param(("cores = 4", "cores ="), "board.toml is not valid TOML", id="syntax"),
        pytest.param(('topic = "heat"', 'topic = "colour"'), "notes[0].topic is 'colour', not one of limit", id="topic"),
        pytest.param(('source = "sheet"', 'source = "book"'), "the source book is not listed in [sources]", id="source"),
        pytest.param(('text = "Gets warm."', ""), "notes[0].text is missing", id="note"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_is_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "board.toml").write_text(WHOLE.replace(*change))
    with pytest.raises(InputError) as refused:
        boards.load("board", tmp_path)
    assert said in str(refused.value)
    assert "board.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    board = Board(
        DeviceProfile('A "board"\\ü', "aarch64", "X", 8, 6, ("neon",), 2048, ("onnx",), virtual=True),
        is_family=True,
        memory_sizes_mib=(1024, 2048),
        identified_by=("acme,board-[12]",),
        known_as="acme-board",
        clusters=(Cluster("Big", 4, "4-7", 600, 2400, "performance", "s"),),
        accelerators=(Accelerator("npu", "N", "npu"),),
        notes=(Note("limit", "°C", "s"),),
        cameras=(
            Camera("/dev/video0", "Cam", "uvc", "usb", (CameraMode("MJPG", 640, 480, (30.0, 7.5)), CameraMode("YUYV", 8, 8))),
        ),
        engines=(EngineFound("onnxruntime", "1", ("onnx",), ("cpu",)),),
        limits=UsableResources(6, 1.5, 512, 0),
        sources={"s": "https://example.org", "with space": "x"},
        given_by={"cpu": "s"},
    )
    path = tmp_path / "board.toml"
    path.write_text(boards.board_toml(board), encoding="utf-8")
    assert boards.read_board(path) == board


def test_the_table_and_the_page_of_a_board() -> None:
    board = Board(
        DeviceProfile("Board", "aarch64", "Cortex-A76", 8, 8, ("dotprod",), 2048),
        memory_sizes_mib=(1024, 2048),
        clusters=(Cluster("Cortex-A76", 4, "", None, 2400), Cluster("Cortex-A55", 4, "", None, 1800)),
        accelerators=(Accelerator("npu", "NPU, 6 TOPS"), Accelerator("gpu", "Mali", "gpu")),
        install=(InstallLine("All", f"pip install {'x ' * 80}end", "looked up", "a"),),
        measured=(Measured("5 ms", "somebody", "benchmark x"),),
        sources={"a": "https://example.org/a"},
        given_by={"cpu": "a"},
    )
    assert board_table({"board": board}).splitlines()[1].split() == [
        *(["board", "Cortex-A76", "4+4", "2400", "1", "to", "2", "GiB", "dotprod", "NPU", "*,", "Mali"]),
    ]
    lines = board_lines(board)
    assert "  Cortex-A76, aarch64, 8 cores [1]" in lines
    assert "  [1] https://example.org/a" in lines
    assert "  Mali (--device gpu)" in lines
    assert f"      pip install {'x ' * 80}end" in lines, "a command can be copied as one line"


@pytest.mark.parametrize("name", boards.names())
def test_every_fact_of_a_shipped_board_has_its_source(name: str) -> None:
    board = boards.board(name)
    fields = ["arch", "cpu", "features", *(["memory_mib"] if board.profile.memory_mib else [])]
    assert [field for field in fields if field not in board.given_by] == []
    facts = (board.clusters, board.systems, board.accelerators, board.advice, board.install, board.notes)
    assert [fact for part in facts for fact in part if not fact.source] == []
    places = ("http", "on the Python Package Index", "Debian package ")
    assert all(any(place in address for place in places) for address in board.sources.values())
    assert all(one.by and one.command and one.record for one in board.measured)
    assert board.clusters == () or sum(one.cores for one in board.clusters) == board.profile.cores
    assert board_lines(board)


def test_the_boards_that_the_documentation_names_are_there() -> None:
    expected = "raspberry-pi-3 raspberry-pi-4 raspberry-pi-5 raspberry-pi-zero-2-w jetson-nano jetson-orin-nano intel-n100"
    expected += " intel-core-ultra x86-avx2 x86-avx512-vnni rk3588 coral android-termux"
    assert set(boards.names()) == set(expected.split())
