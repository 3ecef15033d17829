"""The sensitivity of a model's layers as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from importlib import resources

from edgecnn.benchmarks.report.page import load_jinja
from edgecnn.layer_sensitivity import SensitivityReport

SENSITIVE = 5  # rows that are marked


def sensitivity_page(report: SensitivityReport) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    jinja2 = load_jinja()
    template = resources.files("edgecnn.benchmarks.report").joinpath("sensitivity.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    most = max((max(layer.decibels, 0.0) for layer in report.layers), default=0.0) or 1.0
    worst = {layer.name for layer in report.worst_first[:SENSITIVE]}
    rows = [(layer, round(100 * max(layer.decibels, 0.0) / most, 1), layer.name in worst) for layer in report.layers]
    page: str = environment.from_string(template).render(report=report, rows=rows, marked=min(SENSITIVE, len(rows)))
    return page
