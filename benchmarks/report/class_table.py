"""Accuracy by class of all files, for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.measure.record import Record

MOST = 100  # classes in the table


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Rows of class, support and one value per file in points (None where the file does not know the class), worst class first."""

    measured: str
    counted: str
    files: Sequence[str]
    rows: Sequence[tuple[str, int | None, Sequence[float | None]]]
    left_out: int


def class_table(record: Record) -> ClassTable | None:
    """The table of a record; None where no accuracy by class was measured."""
    scored = [(own.name, own.score) for own in record.files if own.score is not None and own.score.per_class]
    if not scored:
        return None
    labels = dict.fromkeys(label for _, score in scored for label in score.per_class)
    support = scored[0][1].support
    rows = [(label, support.get(label), [_points(score.per_class.get(label)) for _, score in scored]) for label in labels]
    rows.sort(key=lambda row: min((value for value in row[2] if value is not None), default=101.0))
    first = scored[0][1]
    return ClassTable(first.measured, first.counted, [name for name, _ in scored], rows[:MOST], max(len(rows) - MOST, 0))


def _points(value: float | None) -> float | None:
    # a class without ground truth has no value
    return None if value is None or math.isnan(value) else 100 * value
