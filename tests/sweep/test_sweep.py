"""A sweep: what its file may hold, its cells, what is measured again, failures, tables. Measuring is simulated."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecnn.errors import BackendError, InputError
from edgecnn.sweep.cells import SweepCell, cells_of
from edgecnn.sweep.config import SweepConfig, read_sweep
from edgecnn.sweep.report import FIELDS, rows_of, to_csv, to_sweep_document, to_sweep_table
from edgecnn.sweep.results import CellResult
from edgecnn.sweep.run import run_sweep, time_left

Write = Callable[..., Path]


@pytest.fixture
def sweep_file(tmp_path: Path) -> Write:
    """Writes a TOML file beside two model files."""
    for name in ("a.onnx", "b.tflite"):
        (tmp_path / name).write_bytes(name.encode())

    def write(text: str) -> Path:
        path = tmp_path / "sweep.toml"
        path.write_text(text)
        return path

    return write


class Bench:
    """Measures nothing: remembers its cells, and fails for those whose title has a word."""

    def __init__(self, failing: str = "nothing") -> None:
        self.cells: list[SweepCell] = []
        self.failing = failing

    def __call__(self, cell: SweepCell, *_: Any) -> Mapping[str, Any]:
        self.cells.append(cell)
        if self.failing in cell.title:
            raise BackendError(f"{self.failing} is not possible", "use another one")
        clock = {"p50_ms": 2.0, "p90_ms": 3.0, "p99_ms": 4.0, "mean_ms": 2.5, "count": 64, "verdict": "STABLE"}
        own = {"format": "onnx", "precision": "fp32", "input_size": [64, 96], "peak_memory_mib": 90.0, "size_bytes": 10}
        own |= {"accuracy": {"primary": 0.5}, "clocks": {"model": clock, "task": clock}, "throughput_fps": {"model": 400.0}}
        return {"threads": cell.threads or 2, "device": {"name": "board"}, "files": [own]}


def run(config: SweepConfig, bench: Bench) -> list[CellResult]:
    return run_sweep(config, measure=bench)


def test_every_combination_is_a_cell_and_a_ready_file_has_no_format(sweep_file: Write) -> None:
    path = sweep_file(
        'models = ["cups", "a.onnx"]\nformats = ["onnx", "tflite"]\nprecisions = ["fp32"]\nthreads = [1, 2]\nsizes = [64, [48, 80]]'
    )
    cells = cells_of(read_sweep(path))
    assert [cell.title for cell in cells[:2]] == ["cups onnx fp32 64x64 1 thread local", "cups onnx fp32 64x64 2 threads local"]
    assert len(cells) == 2 * 2 * 2 + 2
    assert [cell.title for cell in cells[-2:]] == ["a.onnx 1 thread local", "a.onnx 2 threads local"]
    assert len({cell.file_name for cell in cells}) == len(cells)


def test_models_of_one_name_in_two_folders_are_kept_apart(tmp_path: Path, sweep_file: Write) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.onnx").write_bytes(b"other")
    one, other = cells_of(read_sweep(sweep_file('models = ["a.onnx", "other/a.onnx"]')))
    assert one.file_name != other.file_name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models = []", "models has 0 items, not 1 to 64"),
        ('formats = ["onnx"]', "models is missing"),
        ('modles = ["a.onnx"]', "models is missing: modles is not a known field, correct its name"),
        ('models = ["a.onnx"]\nthread = [1]', "thread is not a known field"),
        ('models = ["a.onnx"]\nthreads = [0]', "threads[0] is 0, not a whole number from 1 to 1024"),
        ('models = ["a.onnx"]\nformats = ["tensorrt"]', "formats[0]"),
        ('models = ["missing.onnx"]', "the model missing.onnx does not exist"),
        ('models = ["sweep.toml"]', "is no file of a supported format"),
        ('models = ["cups"]\nprecisions = ["int8"]', "precisions has int8, which needs calibration images"),
        ('models = ["a.onnx"]\nthreads = [1, 1]', "threads has 1 twice"),
        ('models = ["a.onnx"]\nengines = ["tvm"]', "there is no engine 'tvm'"),
        ('models = ["a.onnx"]\nhosts = ["-oProxyCommand=x"]', "-oProxyCommand=x"),
        ("models = [", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_said_with_its_field(sweep_file: Write, text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sweep(sweep_file(text))
    assert caught.value.problem.startswith("sweep.toml")
    assert problem in caught.value.problem


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_sweep(tmp_path / "none.toml")


def test_cells_that_were_measured_are_not_measured_again(sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]\nthreads = [1, 2]'))
    first, second = Bench(), Bench()
    before = run(config, first)
    after = run(config, second)
    assert (len(first.cells), len(second.cells)) == (4, 0)
    assert [result.document for result in after] == [result.document for result in before]


def test_a_changed_model_and_a_new_setting_are_measured(tmp_path: Path, sweep_file: Write) -> None:
    run(read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]')), Bench())
    (tmp_path / "a.onnx").write_bytes(b"changed")
    changed = Bench()
    run(read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]')), changed)
    assert [cell.model_name for cell in changed.cells] == ["a.onnx"]
    full = Bench()
    run(read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]\nprotocol = "full"')), full)
    assert len(full.cells) == 2


def test_an_interrupted_sweep_goes_on_with_the_next_cell(sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]\nthreads = [1, 2]'))

    class Interrupted(Bench):
        def __call__(self, cell: SweepCell, *rest: Any) -> Mapping[str, Any]:
            if len(self.cells) == 3:
                raise KeyboardInterrupt
            return super().__call__(cell, *rest)

    with pytest.raises(KeyboardInterrupt):
        run(config, Interrupted())
    rest = Bench()
    assert len(run(config, rest)) == 4
    assert len(rest.cells) == 1


def test_a_damaged_record_is_measured_again(tmp_path: Path, sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx"]'))
    run(config, Bench())
    (record,) = (config.out / "cells").iterdir()
    record.write_text(record.read_text()[:50])
    again = Bench()
    run(config, again)
    assert len(again.cells) == 1


def test_a_failing_cell_is_named_and_the_rest_goes_on_and_it_is_tried_again(sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]\nthreads = [1, 2]'))
    told: list[str] = []
    results = run_sweep(config, told=told.append, measure=Bench("b.tflite"))
    assert [bool(result.error) for result in results] == [False, False, True, True]
    assert told[0] == "b.tflite 1 thread local: b.tflite is not possible; use another one"
    assert "failed: b.tflite 2 threads local: b.tflite is not possible" in to_sweep_table(results)
    again = Bench()
    run(config, again)
    assert {cell.model_name for cell in again.cells} == {"b.tflite"}


def test_progress_says_how_long_the_rest_takes(sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx"]\nthreads = [1, 2, 3]'))
    ticks = iter([0.0, 60.0, 60.0, 180.0, 180.0, 270.0])
    lines: list[str] = []
    bench = Bench()

    def measure(cell: SweepCell, config: SweepConfig, digest: Any, progress: Any, told: Any) -> Mapping[str, Any]:
        progress("measuring")
        return bench(cell)

    run_sweep(config, lines.append, measure=measure, now=lambda: next(ticks))
    assert lines == [
        "cell 1 of 3, a.onnx 1 thread local: measuring",
        "cell 2 of 3, a.onnx 2 threads local, about 2 min left: measuring",
        "cell 3 of 3, a.onnx 3 threads local, about 2 min left: measuring",
    ]
    assert time_left([10.0, 20.0], 3) == ", about 45 s left"


def test_table_csv_and_json_have_a_row_for_each_cell_and_clock(sweep_file: Write) -> None:
    results = run(read_sweep(sweep_file('models = ["a.onnx", "b.tflite"]')), Bench("b.tflite"))
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    assert [(row["model"], row["clock"], row["error"]) for row in rows] == [
        ("a.onnx", "model", ""),
        ("a.onnx", "task", ""),
        ("b.tflite", "", "b.tflite is not possible; use another one"),
    ]
    assert (rows[0]["p50_ms"], rows[0]["input_size"], rows[0]["throughput_fps"]) == ("2.0", "64x96", "400.0")
    assert json.loads(json.dumps(to_sweep_document(results)))["rows"] == rows_of(results)
    assert set(rows[0]) == set(FIELDS)
    table = to_sweep_table(results)
    assert "engine" not in table.partition("\n")[0]  # a column that no cell uses
    assert max(map(len, table.splitlines())) <= 140


def test_paths_of_this_machine_are_not_in_the_records(tmp_path: Path, sweep_file: Write) -> None:
    config = read_sweep(sweep_file('models = ["a.onnx"]'))
    run(config, Bench())
    assert all(str(tmp_path) not in path.read_text() for path in (config.out / "cells").iterdir())


def test_boards_are_asked_once_before_the_first_cell_and_the_others_go_on(sweep_file: Write) -> None:
    config = read_sweep(
        sweep_file('models = ["a.onnx"]\nthreads = [1, 2]\nhosts = ["local", "pi@door", "pi@yard"]\nremote_dir = "/srv/e"')
    )
    asked: list[tuple[str, str]] = []
    told: list[str] = []
    bench = Bench()

    def check(host: str, folder: str) -> None:
        assert not bench.cells
        asked.append((host, folder))
        if host == "pi@yard":
            raise InputError("pi@yard does not answer", "check that it is switched on")

    results = run_sweep(config, told=told.append, measure=bench, check=check)
    assert asked == [("pi@door", "/srv/e"), ("pi@yard", "/srv/e")]
    assert told == ["pi@yard is left out: pi@yard does not answer; check that it is switched on"]
    assert [cell.host for cell in bench.cells] == ["local", "pi@door"] * 2
    assert [bool(result.error) for result in results] == [False, False, True] * 2
    # what failed is tried again, and a board whose cells are there is not asked
    asked.clear()
    run_sweep(config, measure=bench, check=lambda host, folder: asked.append((host, folder)))
    assert asked == [("pi@yard", "/srv/e")]
    assert [cell.host for cell in bench.cells[4:]] == ["pi@yard"] * 2
