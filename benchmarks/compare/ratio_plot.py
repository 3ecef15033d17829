"""Ratios with their intervals on one axis, one row per finding."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.compare.finding import Finding
from edgecnn.benchmarks.compare.interval import RatioInterval
from edgecnn.benchmarks.report.svg import (
    BOLD,
    DESKTOP_WIDTH,
    LogAxis,
    element,
    line,
    shorten,
    svg_document,
    text,
    text_width,
    tick_text,
)

ROW, TOP, BOTTOM, MARGIN = 26.0, 20.0, 26.0, 4.0
FURTHEST = 4.0  # factors beyond are cut


def ratio_plot(findings: Sequence[Finding], width: float) -> str:
    """The findings that have a ratio with an interval, as SVG of ``width`` pixels; "" where there is none."""
    shown = [(one, one.change) for one in findings if isinstance(one.change, RatioInterval) and one.change.low < one.change.high]
    if not shown:
        return ""
    names = [f"{one.file}, {one.title}" if len({each.file for each, _ in shown}) > 1 else one.title for one, _ in shown]
    beside = width >= DESKTOP_WIDTH
    row = ROW if beside else ROW + 16
    left = min(max(map(text_width, names)) * BOLD + 18, width * 0.4) if beside else MARGIN
    right = width - (text_width("faster: -50.0 %") + 12 if beside else MARGIN)
    axis = LogAxis.around([1.0, *(_cut(value) for _, change in shown for value in (change.low, change.high))], left, right, 1.03)
    height = TOP + row * len(shown) + BOTTOM
    parts = _grid(axis, height, beside)
    for index, ((one, change), name) in enumerate(zip(shown, names, strict=True)):
        y = TOP + index * row + row / 2 + (0 if beside else 8)
        words = "too noisy" if one.direction == "unknown" else f"{(change.value - 1) * 100:+.1f} %"
        parts += [
            text(MARGIN, y + 4 if beside else y - 12, shorten(name, left - 14 if beside else width - 90), class_="name"),
            text(width - MARGIN, y + 4 if beside else y - 12, words, class_="number", text_anchor="end"),
            line(axis(_cut(change.low)), y, axis(_cut(change.high)), y, f"ratio {one.direction}"),
            element("circle", cx=axis(_cut(change.value)), cy=y, r=4.5, class_=f"ratio-dot {one.direction}"),
        ]
    return svg_document(width, height, "ratios after/before with their confidence intervals", parts)


def _cut(value: float) -> float:
    return min(max(value, 1 / FURTHEST), FURTHEST)


def _grid(axis: LogAxis, height: float, beside: bool) -> list[str]:
    parts = []
    for value in axis.ticks(8 if beside else 4):
        x = axis(value)
        parts.append(line(x, TOP - 4, x, height - BOTTOM, "grid"))
        parts.append(text(x, height - BOTTOM + 15, tick_text(value), class_="tick", text_anchor="middle"))
    x = axis(1.0)
    parts.append(line(x, TOP - 4, x, height - BOTTOM, "zero"))
    parts.append(text(x - 6, 10, "faster, less", class_="tick", text_anchor="end"))
    parts.append(text(x + 6, 10, "slower, more", class_="tick"))
    return parts
