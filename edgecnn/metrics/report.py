"""Formats a score as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from edgecnn.metrics.score import IN_UNITS, TITLES, Score

Columns: TypeAlias = Mapping[str, Mapping[str, str]]
MAX_CLASSES = 20
MAX_CONFUSIONS = 5
MIN_CONFUSIONS = 2  # a pair of classes that was confused once is not a pattern


def report_lines(score: Score, columns: Columns | None = None, sections: Sequence[str] = ()) -> list[str]:
    """Lines with the metrics, a table of the classes, the most frequent confusions and the notes.

    ``columns`` are more columns of the table of classes, by title and label; ``sections`` are more lines before the notes.
    """
    classes = ["", *_class_lines(score, columns or {})] if score.per_class else []
    return [*value_lines(score), *classes, *_confusion_lines(score), *sections, *_note_lines(score)]


def primary_text(score: Score) -> str:
    """The primary metric in a few words: "top-1 93.12 %"."""
    return f"{score.primary_title} {f'{score.primary:.4g}' if score.metric in IN_UNITS else _percent(score.primary)}"


def value_lines(score: Score) -> Iterator[str]:
    """A line for each metric: title, value in nine columns, interval."""
    width = max((len(TITLES[name]) + 1 for name in score.values if not name.endswith(("_low", "_high"))), default=0)
    width = max(width, 24)
    for name, value in score.values.items():
        if name.endswith(("_low", "_high")):
            continue
        text = f"{value:.4g}" if name in IN_UNITS else _percent(value)
        low, high = (score.values.get(f"{name}_{end}") for end in ("low", "high"))
        ends = " to ".join(f"{end:.4g}" if name in IN_UNITS else _percent(end) for end in (low, high) if end is not None)
        interval = f"   95 % interval {ends}" if ends else ""
        yield f"  {TITLES[name]:<{width}}{text:>9}{interval}"


def _class_lines(score: Score, columns: Columns) -> Iterator[str]:
    """All classes; with many classes only the most frequent."""
    names = list(score.per_class)
    if len(names) > MAX_CLASSES:
        names = sorted(names, key=lambda name: -score.support[name])[:MAX_CLASSES]
    width = max(len("class"), *(len(name) for name in names))
    more = f"  {'AP50':>9}" if score.ap50_per_class else ""
    yield f"  {'class':<{width}}  {score.counted:>8}  {score.measured:>9}{more}{_cells(columns, None)}"
    for name in names:
        more = f"  {_percent(score.ap50_per_class[name]):>9}" if name in score.ap50_per_class else ""
        yield f"  {name:<{width}}  {score.support[name]:>8,}  {_percent(score.per_class[name]):>9}{more}{_cells(columns, name)}"
    left = len(score.per_class) - len(names)
    if left:
        yield f"  and {left} rarer classes (--json FILE has all)"


def _cells(columns: Columns, name: str | None) -> str:
    """The title (None) or the values of a class in each column, as wide as the column needs."""
    found = ""
    for title, cells in columns.items():
        width = max(len(title), *(len(cell) for cell in cells.values())) if cells else len(title)
        found += f"  {(title if name is None else cells.get(name, '-')):>{width}}"
    return found


def _confusion_lines(score: Score) -> Iterator[str]:
    if score.confusion is None:
        return
    wrong = score.confusion.copy()
    np.fill_diagonal(wrong, 0)
    most = [divmod(int(cell), len(wrong)) for cell in np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSIONS]]
    shown = [(row, column) for row, column in most if wrong[row, column] >= MIN_CONFUSIONS]
    if shown:
        yield ""
        yield "  most frequent confusions"
        width = max(len(score.labels[row]) for row, _ in shown)
        for row, column in shown:
            yield f"  {score.labels[row]:<{width}}  as {score.labels[column]}: {wrong[row, column]:,} of {score.confusion[row].sum():,}"


def _note_lines(score: Score) -> Iterator[str]:
    if score.notes:
        yield ""
    for note in score.notes:
        yield f"  note: {note}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
