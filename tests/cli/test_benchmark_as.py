"""`edgecnn benchmark --as`: what it prints and writes, and wrong options in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.measure.tools import trtexec
from edgecnn.cli import main
from edgecnn.shipped import artifact


def test_values_definition_and_samples_are_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trtexec, "WARM_UP_MS", 0.0)
    target = tmp_path / "out.json"
    words = [
        "benchmark",
        str(artifact("cups")),
        "--as",
        "trtexec",
        "--quick",
        "--threads",
        "1",
        "--json",
        str(target),
    ]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Throughput (qps)" in done.output
    assert "no GPU" in done.output
    document = json.loads(target.read_text())
    assert (document["schema"], document["tool"], document["variant"]) == ("edgecnn.benchmark_as", "trtexec", None)
    file = document["files"][0]
    assert len(file["samples_ms"]) >= 10
    assert set(document["definition"]) == {"timed", "warm_up", "duration", "statistic", "source"}
    assert str(tmp_path) not in target.read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--as", "perf"], "--as: there is no definition of 'perf'; use one of benchmark_app"),
        (["--as", "tflite", "--clock", "task"], "--clock does nothing with --as; leave it out"),
        (["--as", "tflite", "--html", "x.html"], "--html does nothing with --as"),
        (["--as", "tflite", "--scenario", "paced"], "--scenario does nothing with --as"),
        (["--as", "tflite", "--host", "pi@board"], "--as measures on the machine it runs on; leave --host and --ray out"),
        (["--as", "tflite", "--choose"], "--as does nothing with --choose"),
    ],
)
def test_a_wrong_option_is_one_line(words: list[str], text: str) -> None:
    result = CliRunner().invoke(main, ["benchmark", "cups", *words])
    assert result.exit_code == 2
    lines = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert text in lines[0]
