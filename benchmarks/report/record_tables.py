"""A Record as Markdown tables and as CSV."""

from __future__ import annotations

from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.record import FileRecord, Record
from edgecnn.benchmarks.report.document import PERCENTILES
from edgecnn.benchmarks.report.table import file_rows, heading, latency_rows
from edgecnn.benchmarks.report.table_formats import csv_table, markdown_table

CSV_HEAD = [
    *("device", "started", "file", "format", "precision", "threads", "clock"),
    *(f"p{percent}_ms" for percent in PERCENTILES),
    *(
        "max_ms",
        "mean_ms",
        "runs",
        "verdict",
        "throughput_fps",
        "size_bytes",
        "peak_memory_mib",
        "cold_start_ms",
        "metric",
        "accuracy",
    ),
]


def to_markdown(record: Record) -> str:
    """Latency and files as tables in GitHub's Markdown, with reasons for NOISY verdicts and the notes."""
    noise = [f"- NOISY, {name}, {clock}: {reasons}" for name, clock, reasons in record.noise_reasons()]
    lines = [*noise, *(f"- {note}" for note in record.notes())]
    parts = [
        heading(record),
        markdown_table(latency_rows(record), left=2),
        markdown_table(file_rows(record), left=2),
        "\n".join(lines),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def to_csv(record: Record) -> str:
    """One line for each file and clock; empty cells where nothing was measured."""
    return csv_table([CSV_HEAD, *(_row(record, own, clock) for own in record.files for clock in record.clocks)])


def _row(record: Record, own: FileRecord, clock: Clock) -> list[str]:
    measured = own.clocks[clock]
    latency, rate = measured.latency, {} if own.throughput is None else own.throughput.fps
    times = [*(latency.percentile(percent) for percent in PERCENTILES), latency.max, latency.mean]
    return [
        *(record.device.name, record.started, own.name, own.format, own.precision, str(record.threads), clock),
        *(f"{value:.4f}" for value in times),
        *(str(len(latency.samples_ms)), str(measured.verdict), f"{rate[clock]:.2f}" if clock in rate else ""),
        *(str(own.size_bytes), f"{own.memory_mib:.1f}", f"{own.cold_start.total_ms:.1f}"),
        *(("", "") if own.score is None else (own.score.metric, f"{own.score.primary:.6f}")),
    ]
