"""The explanation of a file as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from edgecnn.benchmarks.report.template import render
from edgecnn.trust.explain.section import PACKAGE, Explanation
from edgecnn.trust.explain.text import heading


def explain_page(found: Explanation) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    shown = [section for section in found.sections if section.html]
    return render(PACKAGE, "page.html", found=found, sections=shown, lead=heading(found))
