"""Speedup and size of exported files against PyTorch eager fp32: model clock, interleaved rounds.

``python -m edgecnn.benchmarks.figures.speedup cups --artifacts DIR --json FILE``
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.benchmarks.measure.protocol import FULL, QUICK
from edgecnn.benchmarks.measure.record import FileRecord, Record
from edgecnn.benchmarks.report.document import to_document
from edgecnn.benchmarks.report.table import format_ms
from edgecnn.columns import align_columns
from edgecnn.files import check_writable

TARGET = 4.0  # int8 against PyTorch eager fp32, on a processor with VNNI


@click.command()
@click.argument("model")
@click.option("--artifacts", "folder", type=click.Path(path_type=Path), required=True, help="Folder of exported files.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads for PyTorch and every engine.  [default: all]")
@click.option("--quick", is_flag=True, help="64 runs per file instead of 662 runs and 10 s.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(model: str, folder: Path, threads: int | None, quick: bool, json_path: Path | None) -> None:
    """Compare the files in a folder with the checkpoint MODEL that they were exported from."""
    files = (figure.checkpoint(model), *figure.artifacts(folder))
    if json_path is not None:
        check_writable(json_path)
    # cold starts have a figure of their own; one is needed to load the file
    protocol = dataclasses.replace(QUICK if quick else FULL, cold_starts=1)
    with ProgressLine() as status:
        config = BenchmarkConfig(files=files, threads=threads, protocol=protocol, clocks=("model",), throughput=False)
        found = measure(config, status, _check)
    rows = [row(found, own) for own in found.files]
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}")
    if json_path is not None:
        figure.record(json_path, "speedup", {"target_int8_speedup": TARGET, "rows": rows, "benchmark": to_document(found)})


def _check(processes: Sequence[ModelProcess]) -> None:
    for process in processes:
        figure.check_weights(process.path.name, processes[0].load_report.card, process.load_report.card)


def row(record: Record, own: FileRecord) -> dict[str, Any]:
    """The row of one file: percentiles, speedup over PyTorch with its spread over the rounds, size and its ratio to fp32 of the format."""
    ratio, low, high = record.speedup(own, "model")
    whole = next((other for other in record.files if (other.format, other.precision) == (own.format, "fp32")), None)
    return {
        "name": own.name,
        "format": own.format,
        "precision": own.precision,
        "p50_ms": own.clocks["model"].latency.p50,
        "p99_ms": own.clocks["model"].latency.p99,
        "speedup": ratio,
        "speedup_p10": low,
        "speedup_p90": high,
        "size_bytes": own.size_bytes,
        "size_of_fp32": None if whole is None else own.size_bytes / whole.size_bytes,
        "verdict": str(own.verdict),
        "reasons": list(own.verdict.reasons),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["file", "precision", "model p50 ms", "p99 ms", "speedup", "size MB", "of fp32", "verdict"]]
    for own in rows:
        share = "" if own["size_of_fp32"] is None else f"{own['size_of_fp32']:.2f}"
        faster = f"{own['speedup']:.2f} ({own['speedup_p10']:.2f}-{own['speedup_p90']:.2f})"
        times = [format_ms(own["p50_ms"]), format_ms(own["p99_ms"])]
        cells.append([own["name"], own["precision"], *times, faster, f"{own['size_bytes'] / 1e6:.2f}", share, own["verdict"]])
    return align_columns(cells, left=2)


def conclusion(rows: list[dict[str, Any]]) -> str:
    """Whether every int8 file reaches the target, in one line."""
    ratios = {own["format"]: own["speedup"] for own in rows if own["precision"] == "int8"}
    if not ratios:
        return "no int8 file in the folder"
    reached = "reached" if all(ratio >= TARGET for ratio in ratios.values()) else "not reached"
    return f"int8 at least {TARGET:g}x faster than PyTorch eager fp32: {reached} ({', '.join(f'{k} {v:.2f}' for k, v in ratios.items())})"


if __name__ == "__main__":
    figure.run(command)
