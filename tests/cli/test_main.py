"""The command itself: help lists every command, errors are one line."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from edgecnn import cli
from edgecnn.cli import COMMANDS


def edgecnn(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edgecnn", *args], capture_output=True, text=True, check=False, timeout=120)


def test_help_lists_every_command() -> None:
    shown = edgecnn("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = edgecnn(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: python -m edgecnn {name}") or done.stdout.startswith(f"Usage: edgecnn {name}")


def test_unknown_command_is_refused_with_exit_code_2() -> None:
    done = edgecnn("exprot")
    assert done.returncode == 2
    assert "No such command 'exprot'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["run", "info", "selftest", "evaluate", "benchmark"])
def test_missing_file_is_one_line_and_exit_code_2(name: str) -> None:
    options = {"run": ["--source", "scene:cups"], "evaluate": ["--data", "scene:cups?count=1"]}
    done = edgecnn(name, "absent.onnx", *options.get(name, []))
    assert done.returncode == 2
    assert done.stderr == "error: the model file absent.onnx does not exist; check the path\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "cups", "--engine", "onnx"], "--engine is not an option of edgecnn export; use --format"),
        (["export", "cups", "--formats", "onnx"], "--formats is not an option of edgecnn export; use --format"),
        # a command without --format: what click says
        (["info", "cups", "--engine", "onnx"], "No such option '--engine'; see edgecnn info --help"),
    ],
)
def test_an_option_by_another_name_is_told_with_its_own(words: list[str], message: str) -> None:
    done = CliRunner().invoke(cli.main, words, prog_name="edgecnn")
    assert (done.exit_code, done.stderr) == (2, f"error: {message}\n")


def test_an_interrupt_while_a_command_is_imported_is_one_line_and_exit_code_130() -> None:
    # the signal arrives as the module of the command is asked for
    program = (
        "import os, signal, time; from edgecnn import cli\n"
        "def slow(name): os.kill(os.getpid(), signal.SIGINT); time.sleep(30)\n"
        "cli.import_module = slow; cli.main(['info', 'cups'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted; run it again\n")


def test_an_interrupt_at_a_question_is_the_same_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def asks() -> None:
        click.confirm("Download?")

    monkeypatch.setattr(cli, "import_module", lambda name: type("Module", (), {"command": asks}))
    done = CliRunner().invoke(cli.main, ["info"], input="")
    assert done.exit_code == 130
    assert done.stderr == "error: interrupted; run it again\n"
