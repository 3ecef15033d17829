"""An Evaluation as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.measure.evaluation import Evaluation
from edgecnn.metrics.report import Columns, report_lines


def to_table(evaluation: Evaluation, columns: Columns | None = None, sections: Sequence[str] = ()) -> str:
    """A heading with file, dataset and counts, then the scores; more columns and sections as of ``report_lines``."""
    return "\n".join([f"{heading(evaluation)}\n", *report_lines(evaluation.score, columns, sections)])


def heading(evaluation: Evaluation) -> str:
    """File, dataset and counts in one line."""
    score = evaluation.score
    split = f", split {evaluation.split}" if evaluation.split else ""
    precision = "" if evaluation.precision == "unknown" else f", {evaluation.precision}"
    counts = f"{_count(score.n, 'image')}, {_count(len(score.labels), 'class')}"
    return f"{evaluation.file.name} ({evaluation.format}{precision}) on {evaluation.dataset}{split}: {counts}"


def _count(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"
