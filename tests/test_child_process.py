"""A process of this installation imports what this one imports, and nothing from the working folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.child_process import can_start, module_command


def test_a_module_runs_with_its_words_and_our_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    for name in ("json", "runpy", "shown"):
        (tmp_path / "here" / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    (tmp_path / "shown.py").write_text(
        "import json, sys\nif __name__ == '__main__': print(json.dumps([sys.argv[1:], sys.path]))\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(entry for entry in sys.path if entry)])
    monkeypatch.chdir(tmp_path / "here")
    done = subprocess.run(module_command("shown", "a b", "", "3"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [["a b", "", "3"], sys.path]


@pytest.mark.parametrize(
    ("executable", "frozen", "expected"),
    [
        ("/usr/bin/python3.11", False, True),
        ("/srv/camera/app", True, False),
        ("/usr/bin/uwsgi", False, False),
        ("", False, False),
    ],
)
def test_an_application_is_no_interpreter(monkeypatch: pytest.MonkeyPatch, executable: str, frozen: bool, expected: bool) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    assert can_start() is expected
