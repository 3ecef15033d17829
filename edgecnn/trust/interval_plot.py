"""Values with their 95 % intervals on one linear axis, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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

ROW, TOP, BOTTOM, MARGIN = 26.0, 20.0, 26.0, 4.0


class IntervalRow(NamedTuple):
    """A row: its name, the value, the ends of its interval (None: unknown), words beside it, and better, worse or none for its colour."""

    name: str
    value: float
    interval: tuple[float, float] | None
    words: str
    direction: str


def interval_plot(rows: Sequence[IntervalRow], width: float, title: str, marks: Sequence[float] = (0.0,)) -> str:
    """The rows as SVG of ``width`` pixels, with vertical lines at ``marks``; "" without rows."""
    if not rows:
        return ""
    beside = width >= DESKTOP_WIDTH
    row = ROW if beside else ROW + 16
    widest = max(text_width(one.words) for one in rows)
    left = min(max(text_width(one.name) for one in rows) * BOLD + 18, width * 0.4) if beside else MARGIN
    right = width - (widest + 14 if beside else MARGIN)
    every = [*marks, *(end for one in rows for end in (one.interval or (one.value, one.value)))]
    low, high = min(every) - 1, max(every) + 1

    def place(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    height = TOP + row * len(rows) + BOTTOM
    parts = []
    for value in even_ticks(low, high, 8 if beside else 4):
        parts.append(line(place(value), TOP - 4, place(value), height - BOTTOM, "grid"))
        parts.append(text(place(value), height - BOTTOM + 15, tick_text(value), class_="tick", text_anchor="middle"))
    parts += [line(place(value), TOP - 4, place(value), height - BOTTOM, "zero") for value in marks]
    for index, one in enumerate(rows):
        y = TOP + index * row + row / 2 + (0 if beside else 8)
        words_y = y + 4 if beside else y - 12
        parts += [
            text(MARGIN, words_y, shorten(one.name, left - 14 if beside else width - widest - 20), class_="name"),
            text(width - MARGIN, words_y, one.words, class_="number", text_anchor="end"),
            element("circle", cx=place(one.value), cy=y, r=4.5, class_=f"ratio-dot {one.direction}"),
        ]
        if one.interval is not None:
            parts.append(line(place(one.interval[0]), y, place(one.interval[1]), y, f"ratio {one.direction}"))
    return svg_document(width, height, title, parts)
