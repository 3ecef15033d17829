"""The campaign of kills in short, and that it notices what is half-written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("av")

from tests.kills import run

ROOT = Path(__file__).resolve().parents[2]


class Careless:
    """Overwrites its file in place, slowly."""

    def prepare(self, folder: Path) -> None:
        (folder / "file").write_text("old" * 100)

    def do(self, folder: Path) -> None:
        with (folder / "file").open("w") as file:
            for _ in range(100):
                file.write("new")
                file.flush()
                time.sleep(0.002)

    def check(self, folder: Path, whole: Path) -> None:
        assert (folder / "file").read_text() in ("old" * 100, (whole / "file").read_text())


def test_a_half_written_file_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run.WORKS, "careless", Careless())
    ends, lost = run.trials("careless", 6, 1, tmp_path, lambda: None)
    assert sum(ends.values()) == 6
    assert len(lost) >= ends["killed"] / 2 > 0


@pytest.mark.slow
def test_what_is_killed_loses_nothing() -> None:
    """The whole campaign is `make kills`; here two kills of the two quickest kinds of work."""
    command = [sys.executable, "-m", "tests.kills.run", "train", "record", "--count", "2", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills of 4" in done.stdout
