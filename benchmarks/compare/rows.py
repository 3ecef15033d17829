"""Findings as rows of text, for the terminal, Markdown, CSV and the page."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.compare.comparison import Comparison
from edgecnn.benchmarks.compare.finding import Finding, PointsInterval
from edgecnn.benchmarks.report.table import ellipsize, format_ms
from edgecnn.benchmarks.report.table_formats import csv_table, markdown_table
from edgecnn.columns import align_columns

HEAD = ["", "before", "after", "change", "interval", "verdict"]
CSV_HEAD = ["file", "quantity", "unit", "before", "after", "change", "low", "high", "verdict", "regression"]


def to_text(comparisons: Sequence[Comparison]) -> str:
    """All comparisons for a terminal."""
    return "\n\n".join(_one_text(one) for one in comparisons)


def to_markdown(comparisons: Sequence[Comparison]) -> str:
    """All comparisons in Markdown, such as for a comment on a change."""
    return "\n\n".join(_one_markdown(one) for one in comparisons) + "\n"


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """One line per finding, numbers in full."""
    return csv_table([CSV_HEAD, *(_csv_row(finding) for one in comparisons for finding in one.findings)])


def cells(finding: Finding) -> list[str]:
    """The row of a finding: quantity, before, after, change, interval, verdict."""
    title = f"{finding.title}, {finding.unit}" if finding.unit else finding.title
    change, interval = change_text(finding)
    return [title, _value(finding, finding.before), _value(finding, finding.after), change, interval, verdict_text(finding)]


def verdict_text(finding: Finding) -> str:
    """The verdict, marked where it is a regression."""
    return f"{finding.verdict} (REGRESSION)" if finding.regression else finding.verdict


def change_text(finding: Finding) -> tuple[str, str]:
    """The change and its interval."""
    change = finding.change
    if isinstance(change, PointsInterval):
        limits = "" if change.low is None or change.high is None else f"{change.low:+.2f} to {change.high:+.2f}"
        unit = " points" if finding.unit == "%" else ""
        return f"{change.value:+.2f}{unit}", limits
    if change is None:
        return f"{finding.after / finding.before:.3f}" if finding.before else "", ""
    return f"{change.value:.3f}", "" if change.low == change.high else f"{change.low:.3f} to {change.high:.3f}"


def sentence(finding: Finding) -> str:
    """A finding in one line: ``cups-int8.onnx, model p50: slower, 4.10 to 4.62 ms, ratio 1.127 (1.080 to 1.176)``."""
    change, interval = change_text(finding)
    limits = f" ({interval})" if interval else ""
    kind = "difference" if isinstance(finding.change, PointsInterval) else "ratio"
    values = f"{_value(finding, finding.before)} to {_value(finding, finding.after)} {finding.unit}".rstrip()
    verdict = f"{finding.verdict}, " if finding.verdict else ""
    return f"{finding.file}, {finding.title}: {verdict}{values}, {kind} {change}{limits}"


def note_lines(one: Comparison) -> list[str]:
    """Noise and notes."""
    noise = [f"NOISY: {reason}" for reason in one.noise]
    return [*noise, *one.notes]


def _value(finding: Finding, value: float) -> str:
    if finding.unit == "ms":
        return format_ms(value)
    return f"{value:.2f}" if finding.kind in {"accuracy", "size"} else f"{value:.1f}"


def _one_text(one: Comparison) -> str:
    parts = [f"{one.before} -> {one.after} · {one.method}"]
    for file in dict.fromkeys(finding.file for finding in one.findings):
        head = [ellipsize(file, 40), *HEAD[1:]]
        parts.append(_left_verdict([head, *(cells(finding) for finding in one.findings if finding.file == file)]))
    return "\n\n".join([*parts, *filter(None, ["\n".join(note_lines(one))])])


def _left_verdict(rows: Sequence[Sequence[str]]) -> str:
    """Columns with the verdict left-aligned behind the numbers."""
    width = max(len(row[-1]) for row in rows)
    return align_columns([[*row[:-1], row[-1].ljust(width)] for row in rows], left=1)


def _one_markdown(one: Comparison) -> str:
    rows = [[finding.file, *cells(finding)] for finding in one.findings]
    table = markdown_table([["file", "quantity", *HEAD[1:]], *rows], left=2)
    notes = "\n".join(f"- {line}" for line in note_lines(one))
    return "\n\n".join(filter(None, [f"**{one.before} → {one.after}** ({one.method})", table, notes]))


def _csv_row(finding: Finding) -> list[str]:
    change = finding.change
    values = (
        ["", "", ""] if change is None else ["" if v is None else f"{v:.6g}" for v in (change.value, change.low, change.high)]
    )
    numbers = [f"{finding.before:.6g}", f"{finding.after:.6g}", *values]
    return [finding.file, finding.title, finding.unit, *numbers, finding.verdict, str(finding.regression).lower()]
