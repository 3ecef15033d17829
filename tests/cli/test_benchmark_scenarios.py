"""Bad options of `edgecnn benchmark --scenario`: one line each, before any file is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--scenario", "server"], "--scenario: there is no scenario 'server'; use single-stream, multi-stream, offline, paced"),
        (["--streams", "4"], "--streams does nothing without --scenario multi-stream or paced; add it"),
        (["--rate", "30", "--scenario", "offline"], "--rate does nothing without --scenario paced or sustained"),
        (["--minutes", "5", "--scenario", "paced"], "--minutes does nothing without --scenario sustained"),
        (
            ["--scenario", "paced", "--clock", "age"],
            "scenarios are measured by the clock model or task; add one of them to --clock",
        ),
        (["--scenario", "sustained", "--minutes", "0"], "--minutes"),
        (["--scenario", "paced", "--rate", "fast"], "--rate"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path: Path, words: list[str], text: str) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no model")
    result = CliRunner().invoke(main, ["benchmark", str(tmp_path / "net.onnx"), *words])
    assert result.exit_code == 2
    lines = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert text in lines[0]
