"""Plots of a comparison of two files: the change of each class with its interval, and how scores moved."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.report.svg import (
    BOLD,
    DESKTOP_WIDTH,
    element,
    even_ticks,
    line,
    shorten,
    svg_document,
    text,
    text_width,
    tick_text,
)
from edgecnn.trust.paired.class_changes import ClassChange
from edgecnn.trust.paired.score_drift import BINS, ScoreDrift

ROW, TOP, BOTTOM, MARGIN = 26.0, 20.0, 26.0, 4.0
MOST = 24  # classes in the plot
HEIGHT = 190.0  # of the histogram


def class_plot(changes: Sequence[ClassChange], width: float) -> str:
    """The change of each class in points with its 95 % interval, as SVG of ``width`` pixels; "" where no class has an interval."""
    shown = [(one, one.interval) for one in changes if one.interval is not None and (one.lost or one.gained)][:MOST]
    if not shown:
        return ""
    beside = width >= DESKTOP_WIDTH
    row = ROW if beside else ROW + 16
    left = min(max(text_width(one.name) for one, _ in shown) * BOLD + 18, width * 0.4) if beside else MARGIN
    right = width - (text_width("-100.0 points") + 12 if beside else MARGIN)
    low = min(0.0, *(100 * interval.low for _, interval in shown)) - 1
    high = max(0.0, *(100 * interval.high for _, interval in shown)) + 1

    def place(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    height = TOP + row * len(shown) + BOTTOM
    parts = []
    for value in even_ticks(low, high, 8 if beside else 4):
        parts.append(line(place(value), TOP - 4, place(value), height - BOTTOM, "zero" if value == 0 else "grid"))
        parts.append(text(place(value), height - BOTTOM + 15, tick_text(value), class_="tick", text_anchor="middle"))
    for index, (one, interval) in enumerate(shown):
        y = TOP + index * row + row / 2 + (0 if beside else 8)
        direction = "none" if not one.is_sure else "worse" if one.difference < 0 else "better"
        words_y = y + 4 if beside else y - 12
        parts += [
            text(MARGIN, words_y, shorten(one.name, left - 14 if beside else width - 120), class_="name"),
            text(width - MARGIN, words_y, f"{100 * one.difference:+.1f} points", class_="number", text_anchor="end"),
            line(place(100 * interval.low), y, place(100 * interval.high), y, f"ratio {direction}"),
            element("circle", cx=place(100 * one.difference), cy=y, r=4.5, class_=f"ratio-dot {direction}"),
        ]
    return svg_document(width, height, "change of each class in points, with its 95 % interval", parts)


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
        parts.append(
            element("rect", title, x=MARGIN + index * step + 0.5, y=base - high, width=step - 1, height=high, class_="part part1")
        )
    parts.append(line(MARGIN, base, width - MARGIN, base, "base"))
    return svg_document(width, HEIGHT, "score after - score before", parts)
