"""Where the samples of a clock lie: one row a file on a common axis, p50 and p99 marked, the slowest samples shown one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.benchmarks.report.svg import (
    BOLD,
    DESK,
    FONT,
    SMALL,
    LogAxis,
    element,
    line,
    picture,
    shorten,
    text,
    text_width,
    tick_text,
)
from edgecnn.benchmarks.report.table import milliseconds
from edgecnn.types import nearest_rank

HILL, FOOT, MARGIN = 34.0, 30.0, 4.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand in a row: its height, the plot from ``left`` to ``right``, the baseline of name and numbers, the ground."""

    width: float
    row: float
    left: float
    right: float
    words: float
    ground: float

    @classmethod
    def of(cls, width: float, names: Sequence[str], numbers: Sequence[str]) -> Frame:
        """A desk has columns for names and numbers, a phone a line above each row."""
        if width < DESK:
            return cls(width, 66.0, MARGIN, width - MARGIN, 15.0, 58.0)
        left = min(max(text_width(name) for name in names) * BOLD + 18, width * 0.26)
        right = width - max(text_width(number) for number in numbers) - 16
        return cls(width, 48.0, left, right, 32.0, 42.0)


@dataclass(frozen=True, slots=True)
class Series:
    """Samples in milliseconds of one file; ``look`` are the CSS classes that give it its colour."""

    name: str
    samples_ms: Sequence[float]
    look: str = ""


def distribution(series: Sequence[Series], width: float, title: str) -> str:
    """The plot as SVG of ``width`` pixels; its height follows from the number of files."""
    every = [value for one in series for value in (min(one.samples_ms), max(one.samples_ms))]
    numbers = [_numbers(one) for one in series]
    frame = Frame.of(width, [one.name for one in series], numbers)
    axis = LogAxis.around(every, frame.left, frame.right)
    height = frame.row * len(series) + FOOT
    parts = _grid(axis, frame, height)
    for index, (one, words) in enumerate(zip(series, numbers, strict=True)):
        parts += _row(one, words, axis, frame, index * frame.row)
    return picture(width, height, title, parts)


def _numbers(one: Series) -> str:
    p50, p99 = nearest_rank(one.samples_ms, 50), nearest_rank(one.samples_ms, 99)
    return f"p50 {milliseconds(p50)} · p99 {milliseconds(p99)}"


def _grid(axis: LogAxis, frame: Frame, height: float) -> list[str]:
    bottom = height - FOOT + 4
    parts = []
    unit = frame.right - text_width("ms", SMALL)
    for value in axis.ticks(max(int((frame.right - frame.left) // 80), 3)):
        x, half = axis(value), text_width(tick_text(value), SMALL) / 2
        parts.append(line(x, 0, x, bottom, "grid"))
        if x - half > 0 and x + half < unit - 6:
            parts.append(text(x, bottom + 15, tick_text(value), class_="tick", text_anchor="middle"))
    parts.append(text(frame.right, bottom + 15, "ms", class_="tick", text_anchor="end"))
    return parts


def _row(one: Series, numbers: str, axis: LogAxis, frame: Frame, top: float) -> list[str]:
    p50, p99 = nearest_rank(one.samples_ms, 50), nearest_rank(one.samples_ms, 99)
    ground, words = top + frame.ground, top + frame.words
    beside = frame.left > MARGIN
    room = frame.left - 16 if beside else frame.width - text_width(numbers, FONT) - 3 * MARGIN - 8
    return [
        text(MARGIN, words, shorten(one.name, room), class_="name"),
        text(frame.width - MARGIN, words, numbers, class_="number", text_anchor="end"),
        line(frame.left, ground, frame.right, ground, "base"),
        _hill(one, axis, ground),
        *(
            element("circle", cx=axis(value), cy=ground - 3, r=1.8, class_=f"tail {one.look}")
            for value in one.samples_ms
            if value > p99
        ),
        line(axis(p50), ground - HILL - 2, axis(p50), ground, "p50"),
        line(axis(p99), ground - HILL - 2, axis(p99), ground, "p99"),
    ]


def _hill(one: Series, axis: LogAxis, base: float) -> str:
    """The histogram as one closed shape, its highest bin as high as the row allows."""
    bins = max(int((axis.right - axis.left) / 7), 20)
    edges = np.geomspace(axis.low, axis.high, bins + 1)
    counts = np.histogram(one.samples_ms, edges)[0]
    heights = counts / counts.max() * HILL
    steps = []
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        if height:
            x1, x2, y = axis(float(left)), axis(float(right)), base - float(height)
            steps.append(f"M{x1:.1f} {base:.1f}V{y:.1f}H{x2:.1f}V{base:.1f}Z")
    return element("path", d="".join(steps), class_=f"hill {one.look}")
