"""How often `edgecnn compare` is right: comparisons of one file with itself, or with itself slowed by a planted share.

`python -m edgecnn.benchmarks.figures.comparisons FILE --planted 10 --count 10 --json RECORD.json`

The slowed side computes on inside each call (``slow_child``), so the harness sees it only in the times. With `--separate`, two whole
runs of the model clock are compared instead, as from two records.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import click

from edgecnn.benchmarks.compare.alternation import Alternation, PairPlan, measure_alternation
from edgecnn.benchmarks.compare.comparison import compare_records
from edgecnn.benchmarks.compare.finding import Finding, Limits
from edgecnn.benchmarks.compare.models import latency_findings
from edgecnn.benchmarks.compare.record_file import measured_run
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.inputs import default_inputs, store
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.process import CHILD, LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.protocol import FULL
from edgecnn.benchmarks.report.document import to_document
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.json_text import dump_json
from edgecnn.shipped import artifact
from edgecnn.text_files import read_text

SLOWED = "edgecnn.benchmarks.figures.slow_child"
SEPARATE = dataclasses.replace(FULL, name="separate", duration_s=4.0, cold_starts=1)
Row = dict[str, Any]


def in_alternation(file: Path, planted: float, count: int, plan: PairPlan, threads: int) -> Iterator[Row]:
    """``count`` comparisons of ``file`` with itself, the second side slowed by the share ``planted``."""
    load = LoadOptions(threads=threads)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        with ModelProcess(file, load) as process:
            store(default_inputs(process.load_report.card, 64), Path(folder))
        program = (SLOWED, str(planted)) if planted else CHILD
        for _ in range(count):
            started = monotonic()
            openers = partial(ModelProcess, file, load), partial(ModelProcess, file, load, program)
            found = measure_alternation(*openers, folder, ("model",), plan)
            latency, spent, *_ = latency_findings(file.name, found, ("model",), plan)
            yield {**_row(latency, monotonic() - started, found), "processor": _interval(spent)}


def separately(file: Path, count: int, threads: int) -> Iterator[Row]:
    """``count`` comparisons of two whole runs of ``file``, one after the other."""
    config = BenchmarkConfig(files=(file,), clocks=("model",), protocol=SEPARATE, threads=threads, throughput=False)
    for _ in range(count):
        started = monotonic()
        documents = [json.loads(dump_json(to_document(measure(config)))) for _ in range(2)]
        runs = [measured_run(document, name) for document, name in zip(documents, ("before", "after"), strict=True)]
        found = compare_records(runs[0], runs[1], Limits()).findings[0]
        yield _row(found, monotonic() - started) | {"load_average": documents[0]["environment"]["load_average"]}


def _row(finding: Finding, seconds: float, found: Alternation | None = None) -> Row:
    row = {**_interval(finding), "seconds": seconds}
    if found is None:
        return row
    return {**row, "pairs": len(found.ratios), "noise": list(found.noise), "ratios": [own["model"] for own in found.ratios]}


def _interval(finding: Finding) -> Row:
    change = finding.change
    assert change is not None
    return {"verdict": finding.verdict, "ratio": change.value, "low": change.low, "high": change.high}


def line(row: Row) -> str:
    """One comparison for a terminal."""
    words = [f"{row['ratio']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}", f"{row['seconds']:.0f} s", row["verdict"]]
    if "processor" in row:
        own = row["processor"]
        words.append(f"processor time {own['ratio']:.4f}, {own['low']:.4f} to {own['high']:.4f}, {own['verdict']}")
    return align_columns([[*words, "; ".join(row.get("noise", []))]], left=len(words) + 1)


def right(rows: Sequence[Row], planted: float) -> int:
    """How many comparisons are right: slower where a slowdown was planted, else neither faster nor slower."""
    words = {"slower", "more"} if planted else {"faster", "slower", "less", "more"}
    return sum((said(row) in words) == bool(planted) for row in rows)


def said(row: Row) -> str:
    """The verdict on the latency, or where that shows no difference, the one on the processor time."""
    if row["verdict"] in {"faster", "slower"} or "processor" not in row:
        return str(row["verdict"])
    return str(row["processor"]["verdict"])


def _added(path: Path, settings: Row) -> list[Row]:
    """The rows of a record; raises ``InputError`` where it was made with other settings."""
    found = json.loads(read_text(path))
    if any(found.get(key) != value for key, value in settings.items()):
        raise InputError(f"--add: {path} was made with other settings", "add records of the same kind")
    rows: list[Row] = found["rows"]
    return rows


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--planted", type=click.FloatRange(0), default=0.0, metavar="PERCENT", help="Planted slowdown of the second side.")
@click.option("--count", type=click.IntRange(0), default=20, show_default=True, help="Comparisons.")
@click.option("--separate", is_flag=True, help="Compare two whole runs, as from two records.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads of the engine.")
@click.option(
    "--add", type=click.Path(path_type=Path, exists=True), multiple=True, help="Records of the same kind whose rows are added."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(
    file: Path, planted: float, count: int, separate: bool, threads: int, add: tuple[Path, ...], json_path: Path | None
) -> None:
    """Compare FILE, a model file or the name of a shipped model, with itself."""
    if separate and planted:
        raise click.UsageError("--separate compares a file with itself; leave --planted out")
    if json_path is not None:
        check_writable(json_path)
    plan = PairPlan()
    own = artifact(file)
    settings = {"file": own.name, "planted_percent": planted, "separate": separate, "threads": threads}
    rows = [row for path in add for row in _added(path, settings)]
    made = separately(own, count, threads) if separate else in_alternation(own, planted / 100, count, plan, threads)
    for row in chain([None], made):  # once without a new row: records may only be joined
        if row is not None:
            rows.append(row)
            click.echo(line(row))
        if json_path is not None and rows:  # after each, because many take hours
            content = {"right": right(rows, planted), "count": len(rows), "plan": dataclasses.asdict(plan), "rows": rows}
            figure.record(json_path, "comparisons", settings | content)
    click.echo(f"right: {right(rows, planted)} of {len(rows)}")


if __name__ == "__main__":
    figure.run(command)
