"""Text in columns, for tables in a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def align_columns(rows: Sequence[Sequence[str]], left: int) -> str:
    """Rows in columns two spaces apart; the first ``left`` columns are left-aligned, the others right-aligned."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    words = ([cell.ljust(width) for cell, width in zip(row[:left], widths, strict=False)] for row in rows)
    numbers = ([cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)] for row in rows)
    return "\n".join("  ".join([*left_cells, *cells]).rstrip() for left_cells, cells in zip(words, numbers, strict=True))
