"""A measurement by groups as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Callable

from edgecnn.benchmarks.report.template import render, responsive
from edgecnn.trust.groups.measure import FEW_INSTANCES, GroupEvaluation
from edgecnn.trust.groups.text import HEADS, gap_words, group_row, group_verdict, never_named_words
from edgecnn.trust.interval_plot import IntervalRow, interval_plot


def group_page(found: GroupEvaluation) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    return render(
        "edgecnn.trust.groups",
        "groups.html",
        found=found,
        verdict=group_verdict(found),
        bad=bool(found.behind or found.never_named),
        facts=[gap_words(found), *never_named_words(found)],
        heads=HEADS,
        rows=[(group_row(group, found.instances), group.is_behind) for group in found.groups],
        few=FEW_INSTANCES,
        plot=responsive(group_plot(found)),
    )


def group_plot(found: GroupEvaluation) -> Callable[[float], str]:
    """The share that is right in each group, for a page of any width."""
    rows = [
        IntervalRow(
            group.name,
            100 * group.rate,
            None if group.interval is None else (100 * group.interval.low, 100 * group.interval.high),
            f"{group.rate:.1%} of {group.instances:,}",
            "worse" if group.is_behind else "none",
        )
        for group in found.groups
    ]
    title = "share that is right in each group, in percent, with its 95 % interval"
    return lambda width: interval_plot(rows, width, title, marks=(100 * found.overall,))
