"""Rows of text as a Markdown table and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def markdown_table(rows: Rows, left: int = 1) -> str:
    """A table in GitHub's Markdown, the first row as its head; the first ``left`` columns are left-aligned."""
    head, *body = ([_cell(cell) for cell in row] for row in rows)
    rule = ["---" if index < left else "---:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def csv_table(rows: Rows) -> str:
    """CSV as of RFC 4180, with line feeds."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
