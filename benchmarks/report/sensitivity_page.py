"""The sensitivity of a model's layers as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from edgecnn.benchmarks.report.template import render
from edgecnn.layer_sensitivity import SensitivityReport

SENSITIVE = 5  # rows that are marked


def sensitivity_page(report: SensitivityReport) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    most = max((max(layer.decibels, 0.0) for layer in report.layers), default=0.0) or 1.0
    worst = {layer.name for layer in report.worst_first[:SENSITIVE]}
    rows = [(layer, round(100 * max(layer.decibels, 0.0) / most, 1), layer.name in worst) for layer in report.layers]
    marked = min(SENSITIVE, len(rows))
    return render("edgecnn.benchmarks.report", "sensitivity.html", report=report, rows=rows, marked=marked)
