"""An Evaluation as text for a terminal."""

from __future__ import annotations

from edgecnn.benchmarks.measure.evaluation import Evaluation
from edgecnn.metrics.report import report_lines


def to_table(evaluation: Evaluation) -> str:
    """A heading with file, dataset and counts, then the scores."""
    score = evaluation.score
    split = f", split {evaluation.split}" if evaluation.split else ""
    precision = "" if evaluation.precision == "unknown" else f", {evaluation.precision}"
    counts = f"{_count(score.n, 'image')}, {_count(len(score.labels), 'class')}"
    heading = f"{evaluation.file.name} ({evaluation.format}{precision}) on {evaluation.dataset}{split}: {counts}\n"
    return "\n".join([heading, *report_lines(score)])


def _count(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"
