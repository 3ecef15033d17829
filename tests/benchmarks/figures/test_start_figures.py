"""The figures of throughput and cold start: what is measured, and how it is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.benchmarks.figures import coldstart, throughput
from edgecnn.benchmarks.figures.coldstart import ProcessStart
from edgecnn.benchmarks.figures.throughput import ThroughputPair
from edgecnn.errors import BackendError, InputError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_start_is_timed_to_its_first_line_and_to_its_end() -> None:
    start = coldstart.start_once(python("import time; print('mug', flush=True); time.sleep(0.3); print('done')"))
    assert start.end_s - start.first_line_s >= 0.25
    assert start.peak_memory_mib > 1


PEAKS = """
import sys
from edgecnn.benchmarks.figures.coldstart import start_once

small, large = (start_once([sys.executable, "-c", code]) for code in ("print(1)", "print(len(b'x' * 300_000_000))"))
assert large.peak_memory_mib - small.peak_memory_mib > 100, (small, large)
"""


def test_peak_memory_is_that_of_the_process() -> None:
    subprocess.run(python(PEAKS), check=True)  # Linux counts the parent's peak at the fork too, and pytest's is large


@pytest.mark.parametrize("code", [pytest.param("raise SystemExit(3)", id="fails"), pytest.param("pass", id="says nothing")])
def test_a_start_without_result_is_an_error(code: str) -> None:
    with pytest.raises(BackendError, match="run it manually"):
        coldstart.start_once(python(code))


def test_every_process_starts_as_often_and_the_first_round_does_not_count() -> None:
    starts = coldstart.measure({"a": python("print(1)"), "b": python("print(2)")}, rounds=2)
    assert {name: len(own) for name, own in starts.items()} == {"a": 2, "b": 2}


def test_cold_start_is_judged_by_medians() -> None:
    starts = {
        "bare": [ProcessStart(1.0, 1.1, 100.0)] * 3,
        "run": [ProcessStart(1.5, 1.6, 120.0), ProcessStart(1.5, 1.6, 120.0), ProcessStart(9.0, 9.0, 120.0)],
        "help": [ProcessStart(0.3, 0.3, 10.0)] * 3,
    }
    found = coldstart.summary(starts)
    assert (found["time_ratio"], found["memory_ratio"], found["help_s"]) == (1.5, 1.2, 0.3)
    assert found["time_ratio_of_pairs"] == [1.5, 1.5, 9.0]
    lines = coldstart.table(found).splitlines()
    assert "time 1.50x, at most 1.4x: not reached" in lines
    assert "--help 0.30 s, at most 0.25 s: not reached" in lines


def test_throughput_is_judged_by_the_median_of_pairs() -> None:
    pairs = [ThroughputPair(100.0, 80.0), ThroughputPair(50.0, 20.0), ThroughputPair(200.0, 170.0)]
    found = throughput.summary(pairs)
    assert (found["ratio"], found["ratio_min"], found["ratio_max"]) == (0.8, 0.4, 0.85)
    assert throughput.table(pairs, found).endswith("ratio 0.800 (0.40-0.85 over 3 pairs); at least 0.75: reached")
    assert "not reached" in throughput.table(pairs[1:2], throughput.summary(pairs[1:2]))


def test_throughput_needs_an_openvino_file(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"m\.onnx is not an OpenVINO file \(\.xml\)"):
        throughput.engine_precision(tmp_path / "m.onnx")


def test_a_run_that_fails_is_one_line() -> None:
    with pytest.raises(BackendError, match=r"exit code 2: error: .*absent\.xml") as caught:
        throughput.whole_run(Path("absent.xml"), Path("absent.mp4"), 1, ())
    assert "\n" not in str(caught.value)
