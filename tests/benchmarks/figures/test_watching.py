"""The cost of viewers: each case is measured with real viewers, and compared with no viewer in the same round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.watching import CASES, command

pytest.importorskip("starlette")


def test_every_case_is_measured_and_compared_with_no_viewer(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--seconds", "0.4", "--rounds", "1", "--json", str(tmp_path / "w.json")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "w.json").read_text())
    assert list(record["parts"]) == list(CASES)
    assert all(part["frames"] > 2 and part["age_p99_ms"] >= part["age_p50_ms"] >= 10 for (part,) in record["parts"].values())
    ages = {way: part["age_p50_ms"] for way, (part,) in record["parts"].items()}
    figures = {figure["name"]: figure["median"] for figure in record["figures"]}
    assert figures["one viewer: frame age p50 over that without viewers"] == pytest.approx(
        ages["one viewer"] / ages["no viewer"], rel=1e-3
    )
    assert len(figures) == 3 * (len(CASES) - 1)


def test_a_record_that_can_not_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--json", str(tmp_path / "absent" / "w.json")])
    assert done.exit_code != 0
    assert "round" not in done.output
