"""The benchmark as a Python user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgecnn.benchmarks
from edgecnn.benchmarks import BenchmarkConfig, Protocol, benchmark
from edgecnn.errors import InputError


def test_one_call_measures_and_writes_the_reports_that_the_config_names(
    classifier: Path, brief: Protocol, tmp_path: Path
) -> None:
    pytest.importorskip("jinja2")
    json_path, html_path = tmp_path / "out.json", tmp_path / "out.html"
    record = benchmark(
        BenchmarkConfig(
            files=(classifier,), threads=1, clocks=("model",), protocol=brief, json_path=json_path, html_path=html_path
        )
    )
    document = json.loads(json_path.read_text())
    assert document["files"][0]["clocks"]["model"]["count"] == len(record.files[0].clocks["model"].latency.samples_ms)
    assert html_path.read_text().startswith("<!doctype html>")


def test_a_report_that_can_t_be_written_is_refused_before_anything_is_measured(
    classifier: Path, brief: Protocol, tmp_path: Path
) -> None:
    steps: list[str] = []
    with pytest.raises(InputError, match="does not exist"):
        benchmark(BenchmarkConfig(files=(classifier,), protocol=brief, json_path=tmp_path / "none" / "out.json"), steps.append)
    assert steps == []


def test_every_public_name_exists() -> None:
    for name in edgecnn.benchmarks.__all__:
        assert getattr(edgecnn.benchmarks, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'benchmrak'"):
        edgecnn.benchmarks.benchmrak  # noqa: B018


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, edgecnn.benchmarks; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
