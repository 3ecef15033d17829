"""The figures of `edgecnn compare` and of the harness: the planted slowdown is real work, verdicts are counted as they are meant."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.compare.alternation import PairPlan
from edgecnn.benchmarks.figures import comparisons, harness_overhead
from edgecnn.benchmarks.figures.slow_child import SlowedBackend
from edgecnn.errors import InputError


class Worker:
    concurrency = 3

    def run(self, _: Any) -> str:
        until = process_time() + 0.002
        while process_time() < until:
            pass
        return "outputs"


def test_a_slowed_backend_computes_on_for_its_share() -> None:
    slowed = SlowedBackend(Worker(), 5.0)
    slowed.run({})  # measures itself
    started = perf_counter()
    assert slowed.run({}) == "outputs"
    assert perf_counter() - started >= 0.012
    assert slowed.concurrency == 3


def test_right_verdicts() -> None:
    rows = [{"verdict": word} for word in ("slower", "faster", "no difference shown", "too noisy to say")]
    assert comparisons.right(rows, 0) == 2
    assert comparisons.right(rows, 10) == 1
    hidden = {"verdict": "no difference shown", "processor": {"verdict": "more"}}
    assert (comparisons.right([hidden], 0), comparisons.right([hidden], 10)) == (0, 1)
    assert comparisons.said({"verdict": "faster", "processor": {"verdict": "more"}}) == "faster"


def test_a_planted_slowdown_shows_and_is_recorded(classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # one look at two pairs: the interval of so few pairs needs a low confidence
    brief = PairPlan(looks=(2,), rounds=2, runs_per_round=3, round_s=0.0, warm_up_s=0.0, confidence=0.4)
    monkeypatch.setattr(comparisons, "PairPlan", lambda: brief)
    out = tmp_path / "out.json"
    words = [str(classifier), "--planted", "2000", "--count", "1", "--json", str(out)]
    result = CliRunner().invoke(comparisons.command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    record = json.loads(out.read_text())
    assert (record["figure"], record["right"], record["rows"][0]["verdict"]) == ("comparisons", 1, "slower")
    assert record["rows"][0]["ratio"] > 2
    again = tmp_path / "again.json"
    words = [str(classifier), "--planted", "2000", "--count", "0", "--add", str(out), "--add", str(out), "--json", str(again)]
    assert CliRunner().invoke(comparisons.command, words, catch_exceptions=False).exit_code == 0
    assert json.loads(again.read_text())["count"] == 2
    with pytest.raises(InputError, match="other settings"):
        CliRunner().invoke(
            comparisons.command,
            [str(classifier), "--count", "0", "--add", str(out)],
            standalone_mode=False,
            catch_exceptions=False,
        )


def test_the_overhead_is_measured_on_a_real_session(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    harness_overhead.write_network(tmp_path / "net.onnx", 4)
    found = harness_overhead.one_process(tmp_path / "net.onnx", 2, 0.01)
    assert [len(found[name]) for name in ("bare", "reported")] == [2, 2]
    assert all(0 < value < 1000 for own in found.values() for value in own)
