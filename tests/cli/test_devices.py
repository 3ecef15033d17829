from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.devices import machine
from edgecnn.devices.boards.board import EngineFound


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["devices", *arguments])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "engines", lambda: ((EngineFound("onnxruntime", "1.2", ("onnx",), ("cpu",)),), ()))


def test_the_table_of_boards() -> None:
    done = call()
    assert done.exit_code == 0, done.output
    row = next(line for line in done.output.splitlines() if line.startswith("raspberry-pi-5 "))
    assert "Cortex-A76" in row
    assert "dotprod" in row
    assert "this machine" in done.output.splitlines()[-1]


@pytest.mark.parametrize("arguments", [("raspberry-pi-5",), ("show", "raspberry-pi-5")])
def test_one_board_with_its_sources(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    assert 'pip install "edgecnn[' in done.output
    assert "[1] https://" in done.output


def test_json_of_all_and_of_one() -> None:
    everything: dict[str, Any] = json.loads(call("--json").stdout)
    one = json.loads(call("jetson-nano", "--json").stdout)
    assert everything["jetson-nano"] == one
    assert (one["schema"], one["version"]) == ("edgecnn.board", 1)
    assert one["profile"]["cores"] == 4


def test_an_unknown_board_is_one_line() -> None:
    done = call("raspberry-pi-9")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: there is no board 'raspberry-pi-9'; known boards: android-termux, coral")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("quick")
def test_a_probed_machine_is_written_and_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    probed = call("probe", "--out", str(path), "--no-cameras")
    assert probed.exit_code == 0, probed.output
    assert f"wrote {path}" in probed.stderr
    shown = call(str(path))
    assert shown.stdout == probed.stdout
    assert "onnxruntime 1.2: onnx on cpu" in shown.stdout


@pytest.mark.usefixtures("quick")
def test_a_place_that_can_not_be_written_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    done = call("probe", "--out", str(tmp_path / "absent" / "mine.toml"))
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
