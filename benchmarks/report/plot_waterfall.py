"""One frame from start to result: each stage begins where the one before ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.report.svg import (
    BOLD,
    DESKTOP_WIDTH,
    SMALL,
    element,
    even_ticks,
    line,
    shorten,
    svg_document,
    text,
    text_width,
    tick_text,
)
from edgecnn.benchmarks.report.table import format_ms

BAR, ROW, GAP, HEAD, FOOT, MARGIN = 13.0, 19.0, 14.0, 22.0, 24.0, 4.0
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class WaterfallStage:
    """A stage of a frame in milliseconds: its median and its 99th percentile."""

    name: str
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The stages of one file in their order."""

    name: str
    stages: tuple[WaterfallStage, ...]

    @property
    def total(self) -> float:
        """The sum of the medians in milliseconds."""
        return sum(stage.p50 for stage in self.stages)

    @property
    def end(self) -> float:
        """The furthest point that is drawn: the end of a bar or of a line to a 99th percentile."""
        start, furthest = 0.0, 0.0
        for stage in self.stages:
            furthest = max(furthest, start + max(stage.p50, stage.p99))
            start += stage.p50
        return furthest


def waterfall_plot(files: Sequence[Waterfall], width: float, title: str) -> str:
    """The plot as SVG of ``width`` pixels: a group per file, a row per stage, on a common linear axis from zero."""
    names = [stage.name for own in files for stage in own.stages]
    left = MARGIN + max(map(text_width, names)) * BOLD + (16 if width >= DESKTOP_WIDTH else 8)
    right = width - 64.0
    # far tails must not press the medians together: they are cut at twice the longest frame
    most = min(max(own.end for own in files), 2 * max(own.total for own in files))
    scale = (right - left) / most
    parts, top = [], 0.0
    for own in files:
        parts += _group(own, top, left, right, scale, width)
        top += HEAD + ROW * len(own.stages) + GAP
    for value in even_ticks(0.0, most, max(int((right - left) // 90), 2)):
        parts.insert(0, line(left + value * scale, HEAD, left + value * scale, top, "grid"))
        parts.append(text(left + value * scale, top + 14, tick_text(value), class_="tick", text_anchor="middle"))
    parts.append(text(right + 26, top + 14, "ms", class_="tick"))
    return svg_document(width, top + FOOT, title, parts)


def _group(own: Waterfall, top: float, left: float, right: float, scale: float, width: float) -> list[str]:
    total = f"{format_ms(own.total)} ms"
    room = width - text_width(total) - 20
    parts = [
        text(MARGIN, top + 14, shorten(own.name, room), class_="name"),
        text(width - MARGIN, top + 14, total, class_="number", text_anchor="end"),
    ]
    start, y = left, top + HEAD
    for index, stage in enumerate(own.stages):
        parts += _stage(stage, index, start, y, left, right, scale)
        start += stage.p50 * scale
        y += ROW
    return parts


def _stage(stage: WaterfallStage, index: int, start: float, y: float, left: float, right: float, scale: float) -> list[str]:
    middle, end = y + BAR / 2, start + stage.p50 * scale
    late = min(start + stage.p99 * scale, right)
    words = format_ms(stage.p50)
    label = element("title", f"{stage.name}: p50 {words} ms, p99 {format_ms(stage.p99)} ms")
    css = "wait" if stage.name == WAITING else f"part part{index % 4}"
    return [
        text(left - 8, y + BAR - 2, stage.name, class_="tick", text_anchor="end"),
        line(end, middle, late, middle, "span"),
        line(late, middle - 3, late, middle + 3, "span"),
        element("rect", label, x=start, y=y, width=max(end - start, 1.0), height=BAR, class_=css),
        text(max(end, late) + 5, y + BAR - 2, words, font_size=SMALL, class_="tick"),
    ]
