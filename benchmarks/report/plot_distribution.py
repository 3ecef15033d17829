"""Histograms of the samples of a clock: one row per file on a common axis, with p50, p99 and each sample above p99."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.benchmarks.report.svg import (
    BOLD,
    DESKTOP_WIDTH,
    FONT,
    SMALL,
    LogAxis,
    element,
    line,
    shorten,
    svg_document,
    text,
    text_width,
    tick_text,
)
from edgecnn.benchmarks.report.table import format_ms
from edgecnn.types import nearest_rank

HISTOGRAM_HEIGHT, AXIS_HEIGHT, MARGIN = 34.0, 30.0, 4.0


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Positions in a row in pixels: its height, the plot from ``left`` to ``right``, baselines of the text and of the histogram."""

    width: float
    row: float
    left: float
    right: float
    text_baseline: float
    base: float

    @classmethod
    def of(cls, width: float, names: Sequence[str], numbers: Sequence[str]) -> RowLayout:
        """Wide pages have columns for names and numbers, narrow ones a line above each row."""
        if width < DESKTOP_WIDTH:
            return cls(width, 66.0, MARGIN, width - MARGIN, 15.0, 58.0)
        left = min(max(text_width(name) for name in names) * BOLD + 18, width * 0.26)
        right = width - max(text_width(number) for number in numbers) - 16
        return cls(width, 48.0, left, right, 32.0, 42.0)


@dataclass(frozen=True, slots=True)
class SampleSeries:
    """Samples of one file in milliseconds; ``css_classes`` set its colour."""

    name: str
    samples_ms: Sequence[float]
    css_classes: str = ""


def distribution_plot(series: Sequence[SampleSeries], width: float, title: str) -> str:
    """The plot as SVG of ``width`` pixels; its height follows from the number of files."""
    every = [value for one in series for value in (min(one.samples_ms), max(one.samples_ms))]
    numbers = [_numbers(one) for one in series]
    layout = RowLayout.of(width, [one.name for one in series], numbers)
    axis = LogAxis.around(every, layout.left, layout.right)
    height = layout.row * len(series) + AXIS_HEIGHT
    parts = _grid(axis, layout, height)
    for index, (one, text_y) in enumerate(zip(series, numbers, strict=True)):
        parts += _row(one, text_y, axis, layout, index * layout.row)
    return svg_document(width, height, title, parts)


def _numbers(one: SampleSeries) -> str:
    p50, p99 = nearest_rank(one.samples_ms, 50), nearest_rank(one.samples_ms, 99)
    return f"p50 {format_ms(p50)} · p99 {format_ms(p99)}"


def _grid(axis: LogAxis, layout: RowLayout, height: float) -> list[str]:
    bottom = height - AXIS_HEIGHT + 4
    parts = []
    unit = layout.right - text_width("ms", SMALL)
    for value in axis.ticks(max(int((layout.right - layout.left) // 80), 3)):
        x, half = axis(value), text_width(tick_text(value), SMALL) / 2
        parts.append(line(x, 0, x, bottom, "grid"))
        if x - half > 0 and x + half < unit - 6:
            parts.append(text(x, bottom + 15, tick_text(value), class_="tick", text_anchor="middle"))
    parts.append(text(layout.right, bottom + 15, "ms", class_="tick", text_anchor="end"))
    return parts


def _row(one: SampleSeries, numbers: str, axis: LogAxis, layout: RowLayout, top: float) -> list[str]:
    p50, p99 = nearest_rank(one.samples_ms, 50), nearest_rank(one.samples_ms, 99)
    base_y, text_y = top + layout.base, top + layout.text_baseline
    beside = layout.left > MARGIN
    room = layout.left - 16 if beside else layout.width - text_width(numbers, FONT) - 3 * MARGIN - 8
    return [
        text(MARGIN, text_y, shorten(one.name, room), class_="name"),
        text(layout.width - MARGIN, text_y, numbers, class_="number", text_anchor="end"),
        line(layout.left, base_y, layout.right, base_y, "base"),
        _histogram(one, axis, base_y),
        *(
            element("circle", cx=axis(value), cy=base_y - 3, r=1.8, class_=f"tail {one.css_classes}")
            for value in one.samples_ms
            if value > p99
        ),
        line(axis(p50), base_y - HISTOGRAM_HEIGHT - 2, axis(p50), base_y, "p50"),
        line(axis(p99), base_y - HISTOGRAM_HEIGHT - 2, axis(p99), base_y, "p99"),
    ]


def _histogram(one: SampleSeries, axis: LogAxis, base: float) -> str:
    """The histogram as one closed shape, its highest bin as high as the row allows."""
    bins = max(int((axis.right - axis.left) / 7), 20)
    # equal widths on the logarithmic axis
    edges = np.geomspace(axis.low, axis.high, bins + 1)
    counts = np.histogram(one.samples_ms, edges)[0]
    heights = counts / counts.max() * HISTOGRAM_HEIGHT
    steps = []
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        if height:
            x1, x2, y = axis(float(left)), axis(float(right)), base - float(height)
            steps.append(f"M{x1:.1f} {base:.1f}V{y:.1f}H{x2:.1f}V{base:.1f}Z")
    return element("path", d="".join(steps), class_=f"hill {one.css_classes}")
