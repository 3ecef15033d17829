"""The trend of a series over its runs: medians, levels between changes, and the changes that are sure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from edgecnn.benchmarks.compare.change_points import Change
from edgecnn.benchmarks.compare.history import HistoryPoint, Series
from edgecnn.benchmarks.report.svg import SMALL, LogAxis, element, line, svg_document, text, text_width, tick_text
from edgecnn.types import nearest_rank

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 52.0, 14.0, 34.0, 42.0, 230.0


def trend_plot(series: Series, width: float) -> str:
    """The plot as SVG: runs from left to right in equal steps, milliseconds upwards; a ring is a NOISY run."""
    points, found = series.points, series.changes
    axis = LogAxis.around([value for one in points for value in (one.low, one.high, one.p50)], HEIGHT - BOTTOM, TOP, 1.05)
    step = (width - LEFT - RIGHT) / max(len(points), 1)
    places = [LEFT + (index + 0.5) * step for index in range(len(points))]
    parts = [*_grid(axis, width), *_dates(points, places), *_levels(points, found, places, step, axis)]
    for one, x in zip(points, places, strict=True):
        parts.append(line(x, axis(one.low), x, axis(one.high), "whisker trend"))
    for one, x in zip(points, places, strict=True):
        label = f"{one.started[:16].replace('T', ' ')} {one.revision}: {one.p50:.4g} ms{'' if one.stable else ', NOISY'}"
        parts.append(
            element("circle", element("title", label), cx=x, cy=axis(one.p50), r=4.0, class_="dot" if one.stable else "dot noisy")
        )
    parts += _marks(points, found, places, step)
    return svg_document(width, HEIGHT, f"{series.file}, {series.clock} clock over {len(points)} runs", parts)


def change_text(point: HistoryPoint, change: Change) -> str:
    """A change in words."""
    word = "slower" if change.ratio > 1 else "faster"
    return f"{change.ratio:.2f}x, {word} since {point.started[:10]} {point.revision}".rstrip()


def _grid(axis: LogAxis, width: float) -> list[str]:
    parts = [line(LEFT, HEIGHT - BOTTOM, width - RIGHT, HEIGHT - BOTTOM, "axis"), text(0, TOP - 16, "ms", class_="tick")]
    for value in axis.ticks(6):
        y = axis(value)
        parts.append(line(LEFT, y, width - RIGHT, y, "grid"))
        parts.append(text(LEFT - 7, y + 4, tick_text(value), class_="tick", text_anchor="end"))
    return parts


def _dates(points: Sequence[HistoryPoint], places: Sequence[float]) -> list[str]:
    """Dates below as many runs as there is room for, and their revisions."""
    room = text_width("2026-01-01", SMALL) + 14
    parts, free = [], 0.0
    for one, x in zip(points, places, strict=True):
        if x - room / 2 < free:
            continue
        parts.append(text(x, HEIGHT - BOTTOM + 16, one.started[:10], class_="tick", text_anchor="middle"))
        parts.append(text(x, HEIGHT - BOTTOM + 31, one.revision[:9], class_="tick", text_anchor="middle"))
        free = x + room / 2
    return parts


def _levels(
    points: Sequence[HistoryPoint], found: Sequence[Change], places: Sequence[float], step: float, axis: LogAxis
) -> list[str]:
    """The median of each stretch between two changes."""
    edges = [0, *(change.index for change in found), len(points)]
    parts = []
    for start, end in pairwise(edges):
        y = axis(nearest_rank([one.p50 for one in points[start:end]], 50))
        parts.append(line(places[start] - step / 2, y, places[end - 1] + step / 2, y, "level"))
    return parts


def _marks(points: Sequence[HistoryPoint], found: Sequence[Change], places: Sequence[float], step: float) -> list[str]:
    """A line at each change; its words are in the title, since changes may be close to each other."""
    parts = []
    for change in found:
        x = places[change.index] - step / 2
        label = element("title", change_text(points[change.index], change))
        parts.append(line(x, TOP - 8, x, HEIGHT - BOTTOM, "mark worse" if change.ratio > 1 else "mark better"))
        parts.append(element("text", f"{change.ratio:.2f}x{label}", x=x, y=TOP - 12, class_="tick", text_anchor="middle"))
    return parts
