"""`edgecnn compare` as a user calls it: exit codes, reports for people and machines, bad input."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main


def write_record(path: Path, level: float = 5.0, seed: int = 0, **changes: Any) -> Path:
    """A record with one file, as --json writes it."""
    random = np.random.default_rng(seed)
    samples = (level * random.gamma(400, 1 / 400, 400)).tolist()
    clock = {"samples_ms": samples, "round_sizes": [20] * 20, "verdict": "STABLE", "reasons": []}
    file = {
        "name": "net|1.onnx",
        "format": "onnx",
        "precision": "int8",
        "model": "net",
        "task": "classify",
        "input_size": [8, 8],
        "sha256": str(seed),
        "size_bytes": 1_000_000,
        "peak_memory_mib": 80.0,
        "cold_start_totals_ms": [300.0, 310.0, 320.0],
        "throughput_fps": {"model": 1000 / level},
        "accuracy": None,
        "clocks": {"model": clock},
    }
    document = {
        "schema": "edgecnn.benchmark",
        "version": 2,
        "started": "2026-01-02T03:04:05+00:00",
        "protocol": {"name": "full", "camera_fps": 30.0},
        "clocks": {"model": "Backend.run only"},
        "device": {"name": "Board", "slug": "board-4c", "cpu": "A76", "usable_cpus": 4},
        "environment": {"packages": {"onnxruntime": "1.30"}, "commit": "abc", "load_average": 0.1},
        "disturbance": {"model": {"other_load_share": 0.0, "steal_share": 0.0}},
        "engine_device": "cpu",
        "threads": 1,
        "inputs": "noise",
        "data": "",
        "reference": "net|1.onnx",
        "files": [file],
    }
    path.write_text(json.dumps({**document, **changes}))
    return path


def compare(*words: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, words)])


def lines_of(result: Result) -> Sequence[str]:
    return result.output.splitlines()


def test_a_regression_ends_with_1_and_all_reports_name_it(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", 7.0, 1)
    out = {name: tmp_path / f"out.{name}" for name in ("json", "markdown", "csv", "junit")}
    result = compare(
        before,
        after,
        "--max-regression",
        "5%",
        "--annotations",
        "github",
        *(word for name, path in out.items() for word in (f"--{name}", path)),
    )
    assert result.exit_code == 1, result.output
    assert "slower (REGRESSION)" in result.output
    assert "error: 1 regression above the limits: net|1.onnx model p50" in lines_of(result)
    assert any(line.startswith("::error title=net|1.onnx model p50%3A regression::") for line in lines_of(result))
    document = json.loads(out["json"].read_text())
    assert (document["schema"], document["regressions"]) == ("edgecnn.comparison", 1)
    own = document["comparisons"][0]["findings"][0]
    assert own["ratio"]["low"] < 1.4 < own["ratio"]["high"]
    assert "| net\\|1.onnx | model p50, ms |" in out["markdown"].read_text()
    rows = list(csv.DictReader(out["csv"].read_text().splitlines()))
    assert [row["quantity"] for row in rows if row["regression"] == "true"] == ["model p50"]
    suite = ElementTree.parse(out["junit"]).getroot()[0]
    assert (suite.get("failures"), suite.get("tests")) == ("1", str(len(rows)))
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["model p50"]


def test_without_a_regression_the_exit_code_is_0(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", seed=1)
    assert compare(before, after, "--max-regression", "5%").exit_code == 0
    assert compare(after, before).exit_code == 0
    faster = compare(before, write_record(tmp_path / "c.json", 3.0, 2), "--max-regression", "5%")
    assert faster.exit_code == 0
    assert "faster" in faster.output


def test_the_table_fits_a_terminal(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", 7.0, 1)
    table = [line for line in lines_of(compare(before, after)) if "·" not in line]
    assert max(map(len, table)) <= 120


def test_a_history_is_shown_alone_or_beside_a_comparison(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    folder, page = tmp_path / "history", tmp_path / "page.html"
    folder.mkdir()
    for day in range(12):
        write_record(folder / f"{day}.json", 5.0 if day < 6 else 6.0, day, started=f"2026-01-{day + 1:02d}T00:00:00+00:00")
    result = compare("--history", folder, "--html", page)
    assert result.exit_code == 0, result.output
    assert "1.20x, slower since 2026-01-07 abc" in result.output
    assert page.read_text().startswith("<!doctype html>")
    both = compare(folder / "0.json", folder / "1.json", "--history", folder, "--json", tmp_path / "out.json")
    assert both.exit_code == 0, both.output
    document = json.loads((tmp_path / "out.json").read_text())
    assert len(document["comparisons"]) == len(document["history"]) == 1
    assert document["history"][0]["changes"][0]["index"] == 6


def failure(*words: object) -> str:
    """The one line of a failed comparison."""
    result = compare(*words)
    assert result.exit_code == 2, result.output
    found = [line for line in lines_of(result) if line.startswith("error:")]
    assert len(found) == 1, result.output
    return found[0]


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    record = write_record(tmp_path / "a.json")
    other = write_record(tmp_path / "b.json", threads=2)
    junk = tmp_path / "junk.json"
    junk.write_text("{}")
    assert "threads 1 and 2; measure both in the same way, or give --force" in failure(record, other)
    assert compare(record, other, "--force").exit_code == 0
    assert "junk.json is not a record of edgecnn benchmark" in failure(record, junk)
    assert "missing.json" in failure(record, tmp_path / "missing.json")
    assert "holds one file" in failure(record)
    assert "can't be compared with each other" in failure(record, "cups")
    assert "one model file is no comparison" in failure("cups")
    assert "--clock age" in failure("cups", "cups", "--clock", "age")
    assert "give one such as 5%" in failure(record, record, "--max-regression", "5")
    assert "nothing to compare" in failure()
    assert "is no folder" in failure("--history", tmp_path / "missing")
    assert "does not exist" in failure(record, record, "--json", tmp_path / "missing" / "out.json")


def test_help_is_quick_to_import() -> None:
    code = "import sys; from click.testing import CliRunner; from edgecnn.cli import main; " + (
        "CliRunner().invoke(main, ['compare', '--help']); sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["edgecnn.benchmarks.compare.run"])
def test_no_training_framework_is_imported(name: str) -> None:
    code = f"import sys, {name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "words", [("--data", "scene:cups"), ("--clock", "task"), ("--pairs", 12), ("--threads", 1), ("--device", "cpu")]
)
def test_options_of_model_files_are_refused_for_records(tmp_path: Path, words: tuple[object, ...]) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", seed=1)
    assert f"{words[0]} does nothing with records; leave it out" in failure(before, after, *words)


def test_a_record_is_not_overwritten_by_the_comparison(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", seed=1)
    text = before.read_text()
    assert "it is a file that is read; name another file" in failure(before, after, "--json", before)
    assert before.read_text() == text


def test_a_record_whose_clocks_are_no_texts_is_damaged(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", seed=1, clocks=7)
    assert "b.json is a damaged record: clocks is 7, not an object" in failure(before, after)


def test_a_record_of_an_interrupted_run_is_named(tmp_path: Path) -> None:
    before, after = write_record(tmp_path / "a.json"), write_record(tmp_path / "b.json", seed=1, partial=True)
    assert "interrupted, so only the clocks that were complete are compared: b.json" in compare(before, after).output
