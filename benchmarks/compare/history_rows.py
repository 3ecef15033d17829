"""Series of a history as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.compare.history import Series
from edgecnn.benchmarks.compare.trend_plot import change_text
from edgecnn.benchmarks.report.table import ellipsize, format_ms
from edgecnn.benchmarks.report.table_formats import csv_table, markdown_table
from edgecnn.columns import align_columns

HEAD = ["file", "clock", "runs", "first ms", "last ms", "last run", "changes"]
CSV_HEAD = [
    "device",
    "file",
    "clock",
    "definition",
    "started",
    "revision",
    "p50_ms",
    "p10_of_rounds_ms",
    "p90_of_rounds_ms",
    "stable",
]


def history_rows(series: Sequence[Series]) -> list[list[str]]:
    """One row per series, with a head."""
    return [HEAD, *map(_row, series)]


def history_text(series: Sequence[Series]) -> str:
    """All series for a terminal, by device and definition."""
    parts = []
    for place in dict.fromkeys((own.device, own.definition) for own in series):
        rows = [_row(own) for own in series if (own.device, own.definition) == place]
        rows = [HEAD, *([ellipsize(row[0]), *row[1:]] for row in rows)]
        width = max(len(row[-1]) for row in rows)
        parts.append(" · ".join(place) + "\n" + align_columns([[*row[:-1], row[-1].ljust(width)] for row in rows], left=2))
    return "\n\n".join(parts)


def history_markdown(series: Sequence[Series]) -> str:
    """All series as one table."""
    rows = [["device", *HEAD], *([own.device, *_row(own)] for own in series)]
    return markdown_table(rows, left=3) + "\n"


def history_csv(series: Sequence[Series]) -> str:
    """One line per run of each series."""
    lines = [
        [own.device, own.file, own.clock, own.definition, one.started, one.revision]
        + [f"{value:.4f}" for value in (one.p50, one.low, one.high)]
        + [str(one.stable).lower()]
        for own in series
        for one in own.points
    ]
    return csv_table([CSV_HEAD, *lines])


def _row(own: Series) -> list[str]:
    first, last = own.points[0], own.points[-1]
    changed = "; ".join(change_text(own.points[change.index], change) for change in own.changes)
    when = f"{last.started[:10]} {last.revision}".rstrip()
    return [own.file, own.clock, str(len(own.points)), format_ms(first.p50), format_ms(last.p50), when, changed]
