"""How long an export of nine files takes: counted by a stand-in of edgecnn in another folder, which writes files and ends as it is told."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from edgecnn.benchmarks.figures import nine_files

EXPORT = """
import sys
from pathlib import Path

assert sys.argv[1:3] == ["export", "net:network"], sys.argv
assert "def network(" in Path("net.py").read_text()
Path("files").mkdir()
for name in {names}:
    Path("files", name).touch()
Path({log!r}).open("a").write(sys.argv[sys.argv.index("--calibration-count") + 1] + "\\n")
{then}
"""
NAMES = ("net-fp32.onnx", "net-fp32.tflite", "net-fp32.xml", "net-fp32.bin")


def tree(folder: Path, names: tuple[str, ...] = NAMES, then: str = "") -> Path:
    """A folder whose package edgecnn makes empty files of these names."""
    package = folder / "edgecnn"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(EXPORT.format(names=names, log=str(folder / "asked.txt"), then=then))
    return folder


def test_kept_files_and_both_clocks(tmp_path: Path) -> None:
    found = nine_files.export(tree(tmp_path / "other"), 16)
    assert found.files == ("net-fp32.onnx", "net-fp32.tflite", "net-fp32.xml")
    assert not found.ended
    assert found.processor_s > 0
    assert found.wall_s > 0
    assert (tmp_path / "other" / "asked.txt").read_text() == "16\n"


def test_an_export_is_ended_after_its_time(tmp_path: Path) -> None:
    slow = tree(tmp_path / "slow", NAMES, "import time\ntime.sleep(60)")
    began = perf_counter()
    found = nine_files.export(slow, 16, seconds=0.5)
    assert found.ended
    assert perf_counter() - began < 55


def test_what_a_failed_export_said_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = nine_files.export(tree(tmp_path / "other", (), "sys.exit('error: no operator X')"), 16)
    assert (found.files, found.ended) == ((), False)
    assert "error: no operator X" in capsys.readouterr().err


def test_two_trees_take_turns_and_the_record_says_who_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nine_files, "HERE", tree(tmp_path / "here"))
    slow = tree(tmp_path / "slow", (), "import time\ntime.sleep(60)")
    record = tmp_path / "record.json"
    words = ["--before", str(slow), "--rounds", "2", "--calibration-count", "8", "--json", str(record)]
    done = CliRunner().invoke(nine_files.command, words, catch_exceptions=False)
    assert done.exit_code == 0
    written = json.loads(record.read_text())
    assert (written["figure"], written["calibration_images"], written["target_times"]) == ("nine_files", 8, 3.0)
    assert [(one["kept"], one["ended"]) for one in written["now"]] == [(3, False)] * 2
    assert [(one["kept"], one["ended"]) for one in written["before"]] == [(0, True)] * 2
    rows = [line.split() for line in done.output.splitlines()]
    assert [row[0] for row in rows[1:5]] == ["now", "now", "before", "before"]
    assert rows[3][-1] == "ended"
