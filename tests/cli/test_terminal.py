"""Standard output that is full, closed or can't encode a letter, and what a command that fails prints."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgecnn.cli import main, terminal

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["models"], ["--help"]])
def test_a_full_standard_output_is_one_line(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: can't write to standard output: no space left on device; ")
    assert done.stderr.count("\n") == 1


def test_closed_streams_discard_what_is_written(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m edgecnn models >&- 2>&-'
    assert subprocess.run(command, shell=True, check=False, cwd=tmp_path).returncode == 0
    assert not list(tmp_path.iterdir())


def test_letters_that_the_terminal_lacks_are_escaped_as_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    terminal.prepare_streams()
    text = {"label": "tasse é ✓ 🥤"}
    click.echo(json.dumps(text, ensure_ascii=False))
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode("latin-1")) == text


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(MemoryError(), "error: out of memory", id="memory"),
        pytest.param(RuntimeError("can't start new thread"), "error: no further thread", id="threads"),
        pytest.param(OSError(24, "Too many open files", "a"), "error: too many files are open", id="files"),
        pytest.param(ImportError("liba.so: bad", name="torch"), "error: the package torch is installed, but", id="package"),
    ],
)
def test_what_a_command_can_not_help_is_one_line(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: object) -> None:
        raise error

    monkeypatch.setattr("edgecnn.zoo.listing.check_name", fail)
    done = CliRunner().invoke(main, ["models", "cups"])
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_a_fault_of_edgecnn_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("edgecnn.zoo.listing.check_name", fail)
    assert isinstance(CliRunner().invoke(main, ["models", "cups"]).exception, KeyError)
