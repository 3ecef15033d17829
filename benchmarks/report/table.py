"""A Record as text for a terminal, at most 120 columns wide."""

from __future__ import annotations

from itertools import chain, repeat
from textwrap import wrap

from edgecnn.benchmarks.measure.protocol import CLOCK_MEANING, Clock
from edgecnn.benchmarks.measure.record import FileRecord, Record
from edgecnn.benchmarks.report.names import ellipsize, format_ms
from edgecnn.benchmarks.report.profile_report import profile_tables
from edgecnn.benchmarks.report.scenarios import scenario_tables
from edgecnn.columns import align_columns
from edgecnn.cpus import threads_text

REASONS_WIDTH = 80  # columns of the reasons for NOISY, beside file and clock

__all__ = ["ellipsize", "format_ms", "to_table"]


def to_table(record: Record) -> str:
    """The whole result: latency by clock, then size, memory, throughput and accuracy by file, then reasons for NOISY verdicts."""
    parts = [
        heading(record),
        _latency(record),
        _files(record),
        *scenario_tables(record),
        *profile_tables(record),
        *_noise(record),
        _legend(record),
    ]
    return "\n\n".join(part for part in parts if part)


def heading(record: Record) -> str:
    """Device, threads, protocol and inputs in one line."""
    machine = f"{record.device.name}, {threads_text(record.threads)}, {record.engine_device}"
    return f"{machine} · {record.protocol.name} protocol · inputs: {record.inputs}"


def _latency(record: Record) -> str:
    return align_columns(latency_rows(record), left=2)


def latency_rows(record: Record) -> list[list[str]]:
    """Latency by file and clock, with a head; the speedups are left out where there is one file."""
    rows = [["latency in ms", "clock", "p50", "p90", "p95", "p99", "max", "mean", "runs", "speedup"]]
    rows += [_latency_row(record, own, clock, first=clock == record.clocks[0]) for own in record.files for clock in record.clocks]
    return rows if len(record.files) > 1 else [row[:-1] for row in rows]


def _latency_row(record: Record, own: FileRecord, clock: Clock, *, first: bool) -> list[str]:
    found = own.clocks[clock].latency
    values = [format_ms(value) for value in (found.p50, found.p90, found.p95, found.p99, found.max, found.mean)]
    return [ellipsize(own.name) if first else "", clock, *values, str(len(found.samples_ms)), _speedup(record, own, clock)]


def _speedup(record: Record, own: FileRecord, clock: Clock) -> str:
    """Speedup with the 10th to 90th percentile of the rounds; none for age, which depends on the camera's period."""
    if own is record.reference or clock == "age":
        return "1 (reference)" if clock == record.clocks[0] and len(record.files) > 1 else ""
    whole, low, high = record.speedup(own, clock)
    return f"{whole:.2f} ({low:.2f}-{high:.2f})"


def _files(record: Record) -> str:
    return align_columns(file_rows(record), left=2)


def file_rows(record: Record) -> list[list[str]]:
    """Precision, size, memory, cold start, throughput, accuracy and verdict by file, with a head."""
    scores = [own.score for own in record.files if own.score is not None]
    head = ["file", "precision", "size MB", "memory MiB", "cold start ms", "frames/s", "concurrency"]
    head += [scores[0].primary_title] if scores else []
    return [[*head, "verdict"], *([*_file_row(own, scored=bool(scores)), str(own.verdict)] for own in record.files)]


def _file_row(own: FileRecord, *, scored: bool) -> list[str]:
    throughput = own.throughput
    rate = "" if throughput is None else f"{throughput.fps.get('task', throughput.fps.get('model', 0.0)):.0f}"
    cells = [
        ellipsize(own.name),
        own.precision,
        f"{own.size_bytes / 1e6:.2f}",
        f"{own.memory_mib:.0f}",
        f"{own.cold_start.total_ms:.0f}",
        rate,
    ]
    cells.append("" if throughput is None else str(throughput.concurrency))
    return [*cells, "-" if own.score is None else f"{own.score.primary:.4f}"] if scored else cells


def _noise(record: Record) -> list[str]:
    """Reasons for NOISY verdicts, and the notes."""
    lines = [
        [ellipsize(name) if first else "", clock if first else "", part]
        for name, clock, reasons in record.noise_reasons()
        for first, part in zip(chain([True], repeat(False)), wrap(reasons, REASONS_WIDTH), strict=False)
    ]
    return [align_columns([["why NOISY", "clock", ""], *lines], left=3) if lines else "", "\n".join(record.notes())]


def _legend(record: Record) -> str:
    words = [f"{clock}: {CLOCK_MEANING[clock]}" for clock in record.clocks]
    data = next((f"accuracy on {own.score.n} images of {record.data}" for own in record.files if own.score is not None), "")
    return "\n".join([*words, data]).rstrip()
