"""The results of a sweep as one table, one JSON document and one CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from edgecnn.benchmarks.report.names import ellipsize, format_ms
from edgecnn.columns import align_columns
from edgecnn.sweep.results import CellResult

SCHEMA, VERSION = "edgecnn.sweep", 1
FIELDS = (
    "model",
    "format",
    "precision",
    "input_size",
    "threads",
    "engine",
    "host",
    "device",
    "clock",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "mean_ms",
    "count",
    "throughput_fps",
    "peak_memory_mib",
    "size_bytes",
    "accuracy",
    "verdict",
    "error",
)
SHOWN = {
    "model": "model",
    "format": "format",
    "precision": "precision",
    "input_size": "size",
    "threads": "threads",
    "engine": "engine",
    "host": "host",
    "clock": "clock",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "throughput_fps": "frames/s",
    "peak_memory_mib": "MiB",
    "accuracy": "accuracy",
    "verdict": "verdict",
}
TEXTS = 8  # columns of text


def rows_of(results: Sequence[CellResult]) -> list[dict[str, Any]]:
    """One row for each cell and clock, one for each cell that failed; what is unknown is None."""
    return [row for result in results for row in _rows(result)]


def _rows(result: CellResult) -> list[dict[str, Any]]:
    cell, document = result.cell, result.document
    row: dict[str, Any] = dict.fromkeys(FIELDS)
    row |= {"model": cell.model_name, "format": cell.format, "precision": cell.precision, "threads": cell.threads}
    row |= {"engine": cell.engine, "host": cell.host, "input_size": f"{cell.size[0]}x{cell.size[1]}" if cell.size else None}
    if document is None:
        return [{**row, "error": result.error}]
    (own,) = document["files"]
    score = own["accuracy"]
    row |= {"format": own["format"], "precision": own["precision"], "threads": document["threads"]}
    row |= {"input_size": "x".join(map(str, own["input_size"])), "device": document["device"]["name"]}
    row |= {name: own[name] for name in ("peak_memory_mib", "size_bytes")}
    row |= {"accuracy": None if score is None else score["primary"]}
    return [{**row, **_clock(own, clock)} for clock in own["clocks"]]


def _clock(own: dict[str, Any], clock: str) -> dict[str, Any]:
    found = own["clocks"][clock]
    values = {name: found[name] for name in ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "count", "verdict")}
    return {"clock": clock, **values, "throughput_fps": (own["throughput_fps"] or {}).get(clock)}


def to_sweep_table(results: Sequence[CellResult]) -> str:
    """The table for a terminal: columns that no cell uses are left out, cells that failed are named below."""
    rows = [row for row in rows_of(results) if row["error"] is None]
    used = [name for name in SHOWN if any(row[name] is not None for row in rows)]
    texts = sum(name in [*SHOWN][:TEXTS] for name in used)
    lines = [[SHOWN[name] for name in used], *([_shown(name, row[name]) for name in used] for row in rows)]
    failed = [f"failed: {result.cell.title}: {result.error}" for result in results if result.error]
    return "\n\n".join(filter(None, [align_columns(lines, left=texts) if rows else "", "\n".join(failed)]))


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_ms"):
        return format_ms(value)
    if name == "accuracy":
        return f"{value:.4f}"
    return f"{value:.0f}" if isinstance(value, float) else ellipsize(str(value))


def to_csv(results: Sequence[CellResult]) -> str:
    """All fields, one row for each cell and clock."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(results))
    return text.getvalue()


def to_sweep_document(results: Sequence[CellResult]) -> dict[str, Any]:
    """The rows as JSON values; the documents of the cells with all samples stay in their own files."""
    return {"schema": SCHEMA, "version": VERSION, "rows": rows_of(results)}
