"""A dataset check as one self-contained HTML page: counts, findings and a contact sheet; no scripts, no external resources."""

from __future__ import annotations

from edgecnn.benchmarks.report.contact_sheet import class_pictures, copy_pictures, legend, odd_pictures
from edgecnn.benchmarks.report.template import render
from edgecnn.data.check.dataset import DatasetCheck
from edgecnn.data.check.text import class_rows, findings, part_facts, reading, verdict

SHOWN = 100  # lines of each kind of finding; --json has all


def dataset_page(check: DatasetCheck) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    rows = class_rows(check) if check.about.has_classes else []
    most = max((sum(counts) for _, counts in rows), default=0) or 1
    return render(
        "edgecnn.benchmarks.report",
        "dataset.html",
        check=check,
        verdict=verdict(check),
        reading=reading(check),
        clean=not check.faults() and not check.doubts(),
        parts=[(part.name or "all images", part_facts(part)) for part in check.parts],
        unit="boxes" if check.about.has_boxes else "images",
        rows=[(name, counts, round(100 * sum(counts) / most, 1)) for name, counts in rows],
        findings=[(title, lines[:SHOWN], max(len(lines) - SHOWN, 0)) for title, lines in findings(check)],
        legend=list(legend(check)),
        classes=class_pictures(check),
        odd=odd_pictures(check),
        copies=copy_pictures(check),
    )
