"""`edgecnn sweep` as a user calls it: files, exit codes, one line of error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.errors import BackendError
from edgecnn.sweep import run


def sweep(*words: object) -> Result:
    return CliRunner().invoke(main, ["sweep", *map(str, words)])


def test_a_cell_that_fails_ends_with_exit_code_1_after_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: Any) -> Mapping[str, Any]:
        raise BackendError("the engine is missing", "install it")

    monkeypatch.setattr(run.run_sweep, "__kwdefaults__", {**run.run_sweep.__kwdefaults__, "measure": measure})
    (tmp_path / "a.onnx").write_bytes(b"a")
    (tmp_path / "s.toml").write_text('models = ["a.onnx"]\nthreads = [1, 2]')
    done = sweep(tmp_path / "s.toml", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "error: 2 of 2 cells failed; run it again to try them again" in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cells", "sweep.json", "sweep.csv"}


def test_an_interrupt_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: Any) -> Mapping[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(run.run_sweep, "__kwdefaults__", {**run.run_sweep.__kwdefaults__, "measure": measure})
    (tmp_path / "a.onnx").write_bytes(b"a")
    (tmp_path / "s.toml").write_text('models = ["a.onnx"]')
    done = sweep(tmp_path / "s.toml")
    assert done.exit_code == 2
    assert "error: the sweep was interrupted, its measured cells are kept; run it again to go on" in done.output


def test_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('models = ["cups"]\nsize = [64]')
    done = sweep(tmp_path / "s.toml")
    assert done.exit_code == 2
    assert done.output.strip() == "error: s.toml: size is not a known field; correct the file"


def test_an_output_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"a")
    (tmp_path / "taken").touch()
    (tmp_path / "s.toml").write_text('models = ["a.onnx"]\nout = "taken"')
    done = sweep(tmp_path / "s.toml")
    assert done.exit_code == 2
    assert "taken" in done.output
    assert "Traceback" not in done.output
