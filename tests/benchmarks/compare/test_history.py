"""A folder of records over time: storing, series, changes that are sure, the trend plot and the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.benchmarks.compare.change_points import changes
from edgecnn.benchmarks.compare.history import Series, make_history, read_history, store
from edgecnn.benchmarks.compare.history_rows import history_csv, history_markdown, history_text
from edgecnn.benchmarks.compare.trend_plot import trend_plot
from edgecnn.errors import InputError

Random = np.random.Generator


def noisy(random: Random, levels: list[float], spread: float = 0.02) -> list[float]:
    values: list[float] = (5 * np.array(levels) * np.exp(random.normal(0, spread, len(levels)))).tolist()
    return values


def test_a_rise_and_a_fall_are_found() -> None:
    random = np.random.default_rng(1)
    right = 0
    for _ in range(50):
        found = changes(noisy(random, [1.0] * 10 + [1.12] * 10 + [1.0] * 10))
        right += [one.index for one in found] == [10, 20] and found[0].ratio > 1 > found[1].ratio
    assert right >= 46


@pytest.mark.parametrize("count", [5, 12, 30, 80])
def test_noise_and_single_peaks_are_no_changes(count: int) -> None:
    random = np.random.default_rng(2)
    wrong = 0
    for _ in range(50):
        values = noisy(random, [1.0] * count, 0.05)
        values[random.integers(count)] *= 3
        wrong += bool(changes(values))
    assert wrong <= 2


def test_small_changes_are_left_unmarked() -> None:
    random = np.random.default_rng(3)
    assert changes(noisy(random, [1.0] * 30 + [1.02] * 30, 0.001)) == []
    assert changes([5.0] * 20) == []


@pytest.fixture
def folder(tmp_path: Path, document: Callable[..., Any]) -> Path:
    """Twenty runs, one a day; the last ten are 15 % slower. One is NOISY."""
    for day in range(20):
        own = document(slower=1.15 if day >= 10 else 1.0, seed=day)
        own.update(started=f"2026-01-{day + 1:02d}T03:04:05+00:00", revision=f"{day:012x}")
        if day == 5:
            own["files"][0]["clocks"]["model"]["reasons"] = ["varies by 20% (CoV)"]
        store(tmp_path / "history", own)
    return tmp_path / "history"


def series_of(folder: Path, clock: str = "model") -> Series:
    return next(own for own in read_history(folder)[0] if own.clock == clock)


def test_records_are_kept_by_device_time_and_revision(folder: Path, document: Callable[..., Any]) -> None:
    (device,) = folder.iterdir()
    assert device.name == "test-board-5-4c"
    names = sorted(path.name for path in device.iterdir())
    assert (len(names), names[0]) == (20, "20260101T030405-000000000000.json")
    own = document()
    own.update(started="2026-01-01T03:04:05+00:00", revision="000000000000")
    assert store(folder, own).name == "20260101T030405-000000000000-2.json"  # nothing is overwritten


def test_a_series_is_in_order_with_its_change(folder: Path) -> None:
    own = series_of(folder)
    assert (own.device, own.file, len(own.points)) == ("Test Board 5", "cups-fp32.onnx", 20)
    assert [one.started for one in own.points] == sorted(one.started for one in own.points)
    assert [one.stable for one in own.points].index(False) == 5
    assert own.points[0].low < own.points[0].p50 < own.points[0].high
    assert [(one.index, round(one.ratio, 2)) for one in own.changes] == [(10, 1.15)]


def test_other_definitions_are_other_series(folder: Path, document: Callable[..., Any]) -> None:
    own = document()
    own.update(threads=1, started="2026-02-01T00:00:00+00:00")
    store(folder, own)
    found = [one for one in read_history(folder)[0] if one.clock == "model"]
    assert [(one.definition.split(",")[0], len(one.points)) for one in found] == [("4 threads", 20), ("1 thread", 1)]


def test_text_markdown_and_csv_name_the_change(folder: Path) -> None:
    series, problems = read_history(folder)
    assert problems == []
    words = "1.15x, slower since 2026-01-11 00000000000a"
    assert words in history_text(series)
    assert words in history_markdown(series)
    rows = list(csv.DictReader(history_csv(series).splitlines()))
    assert len(rows) == 20 * 3
    assert float(rows[0]["p50_ms"]) == pytest.approx(series[0].points[0].p50, abs=1e-4)


def test_the_plot_marks_runs_and_changes(folder: Path) -> None:
    for width in (1000.0, 352.0):
        plot = trend_plot(series_of(folder), width)
        assert plot.count("<circle") == 20
        assert plot.count('class="dot noisy"') == 1
        assert plot.count('class="mark worse"') == 1
        assert plot.count('class="level"') == 2
    first = series_of(folder)
    one_run = Series(first.device, first.file, first.clock, first.definition, first.points[:1])
    assert trend_plot(one_run, 352.0).count("<circle") == 1


def test_files_that_are_no_records_are_named_and_an_empty_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.json").write_text(json.dumps({"a": 1}))
    assert read_history(folder)[1] == ["left out: notes.json is not a record of edgecnn benchmark"]
    make_history(tmp_path / "empty" / "history")
    with pytest.raises(InputError, match="holds no record"):
        read_history(tmp_path / "empty" / "history")
    with pytest.raises(InputError, match="is no folder"):
        read_history(tmp_path / "missing")
    with pytest.raises(InputError, match="can't write"):
        make_history(folder / "notes.json" / "inside")
