"""Plots of a comparison of two files: the change of each class with its interval, and how scores moved."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.report.svg import element, line, svg_document, text
from edgecnn.trust.interval_plot import BOTTOM, MARGIN, IntervalRow, interval_plot
from edgecnn.trust.paired.part_changes import PartChange
from edgecnn.trust.paired.score_drift import BINS, ScoreDrift

MOST = 24  # classes or groups in a plot
HEIGHT = 190.0  # of the histogram


def change_plot(changes: Sequence[PartChange], width: float, part: str) -> str:
    """The change of each ``part`` (class, group) in points with its 95 % interval, as SVG of ``width`` pixels; "" without intervals."""
    rows = [
        IntervalRow(
            one.name,
            100 * one.difference,
            (100 * one.interval.low, 100 * one.interval.high),
            f"{100 * one.difference:+.1f} points",
            "none" if not one.is_sure else "worse" if one.difference < 0 else "better",
        )
        for one in changes
        if one.interval is not None and (one.lost or one.gained)
    ]
    return interval_plot(rows[:MOST], width, f"change of each {part} in points, with its 95 % interval")


def drift_plot(drift: ScoreDrift, width: float) -> str:
    """The histogram of score after - score before, on a square-root scale: most scores hardly move."""
    most = max(drift.histogram) ** 0.5
    step = (width - 2 * MARGIN) / len(drift.histogram)
    base = HEIGHT - BOTTOM
    parts = []
    for value in (-1, -0.5, 0, 0.5, 1):
        x = MARGIN + (value + 1) / 2 * (width - 2 * MARGIN)
        anchor = "start" if value == -1 else "end" if value == 1 else "middle"
        parts.append(line(x, 4, x, base, "zero" if value == 0 else "grid"))
        parts.append(text(x, base + 16, f"{value:+g}" if value else "0", class_="tick", text_anchor=anchor))
    for index, count in enumerate(drift.histogram):
        high = (base - 10) * count**0.5 / most
        title = element("title", f"{BINS[index]:+.2f} to {BINS[index + 1]:+.2f}: {count:,}")
        bar = {"x": MARGIN + index * step + 0.5, "y": base - high, "width": step - 1, "height": high}
        parts.append(element("rect", title, class_="part part1", **bar))
    parts.append(line(MARGIN, base, width - MARGIN, base, "base"))
    return svg_document(width, HEIGHT, "score after - score before", parts)
