"""Accuracy against latency: one point per file with a line to its p99, and labels that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from edgecnn.benchmarks.report.svg import (
    SMALL,
    LogAxis,
    element,
    even_ticks,
    line,
    shorten,
    svg_document,
    text,
    text_width,
    tick_text,
)

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 14.0, 44.0
RADIUS = 5.5
LINE = 15.0
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ScatterPoint:
    """One file: p50 and p99 in milliseconds, accuracy in percent, CSS classes of its colour."""

    name: str
    p50: float
    p99: float
    accuracy: float
    css_classes: str = ""


def scatter_plot(points: Sequence[ScatterPoint], width: float, height: float, x_title: str, y_title: str) -> str:
    """The plot as SVG of ``width`` x ``height`` pixels."""
    axis = LogAxis.around([value for point in points for value in (point.p50, point.p99)], LEFT, width - RIGHT, 1.15)
    low, high = _range([point.accuracy for point in points])

    def place(value: float) -> float:
        return height - BOTTOM - (value - low) / (high - low) * (height - BOTTOM - TOP)

    spots = [(axis(point.p50), place(point.accuracy)) for point in points]
    ends = [axis(point.p99) for point in points]
    parts = [*_x_grid(axis, width, height, x_title), *_y_grid(low, high, place, width, y_title)]
    front = pareto_front(points)
    parts += _front([spots[index] for index in front])
    for point, (x, y), end in zip(points, spots, ends, strict=True):
        parts.append(line(x, y, end, y, f"whisker {point.css_classes}"))
        parts.append(line(end, y - 4, end, y + 4, f"whisker {point.css_classes}"))
    for index, (point, (x, y)) in enumerate(zip(points, spots, strict=True)):
        behind = "" if index in front else "behind "
        parts.append(element("circle", cx=x, cy=y, r=RADIUS, class_=f"point {behind}{point.css_classes}"))
    names = [shorten(point.name, width * 0.55, SMALL) for point in points]
    return svg_document(width, height, f"{y_title} against {x_title}", [*parts, *_labels(names, spots, ends, width, height)])


def pareto_front(points: Sequence[ScatterPoint]) -> list[int]:
    """Indices of the points to which no other is both as fast and as accurate and better in one, from fast to slow."""
    order = sorted(range(len(points)), key=lambda index: (points[index].p50, -points[index].accuracy))
    best, front = float("-inf"), []
    for index in order:
        if points[index].accuracy > best:
            best = points[index].accuracy
            front.append(index)
    return front


def _front(spots: Sequence[tuple[float, float]]) -> list[str]:
    """The front as steps: between two of its files, the faster one is the best that there is."""
    if len(spots) < 2:
        return []
    steps = [f"M{spots[0][0]:.1f} {spots[0][1]:.1f}", *(f"H{x:.1f}V{y:.1f}" for x, y in spots[1:])]
    return [element("path", d="".join(steps), class_="front")]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The range of the axis, at least two points: a small difference must not look like a large one."""
    low, high = min(values), max(values)
    room = max(2.0 - (high - low), (high - low) * 0.3) / 2
    return max(low - room, 0.0), min(high + room, 101.0)


def _x_grid(axis: LogAxis, width: float, height: float, title: str) -> list[str]:
    bottom = height - BOTTOM
    parts = [line(LEFT, bottom, width - RIGHT, bottom, "axis")]
    for value in axis.ticks(max(int(width // 80), 3)):
        parts.append(line(axis(value), TOP, axis(value), bottom, "grid"))
        parts.append(text(axis(value), bottom + 16, tick_text(value), class_="tick", text_anchor="middle"))
    parts.append(text((LEFT + width - RIGHT) / 2, height - 8, title, class_="tick", text_anchor="middle"))
    return parts


def _y_grid(low: float, high: float, place: Callable[[float], float], width: float, title: str) -> list[str]:
    parts = [text(0, TOP - 3, title, class_="tick")]
    for value in even_ticks(low, high, 5):
        y = place(value)
        if y > TOP + 12:
            parts.append(text(LEFT - 7, y + 4, tick_text(value), class_="tick", text_anchor="end"))
        parts.append(line(LEFT, y, width - RIGHT, y, "grid"))
    return parts


def _labels(
    names: Sequence[str], spots: Sequence[tuple[float, float]], ends: Sequence[float], width: float, height: float
) -> list[str]:
    """A label for each point at the best free place, with a line to its point where it had to move away."""
    taken = [(min(x, end) - 7, y - 7, max(x, end) + 4, y + 7) for (x, y), end in zip(spots, ends, strict=True)]
    parts = []
    for name, (x, y) in zip(names, spots, strict=True):
        places = _places(text_width(name, SMALL), x, y, (LEFT, TOP, width, height - BOTTOM))
        others = [spot for spot in spots if spot != (x, y)]
        # greedy, in the order of the files: good enough for the few points of a report
        box = min(places, key=lambda box: _cost(box, (x, y), others, taken))
        taken.append(box)
        middle = (box[0] + box[2]) / 2
        if abs((box[1] + box[3]) / 2 - y) > 1.5 * LINE or not box[0] - RADIUS * 2 <= x <= box[2] + RADIUS * 2:
            parts.append(line(x, y, middle, box[3] if box[3] < y else box[1], "leader"))
        parts.append(text(middle, box[3] - 4, name, class_="label", text_anchor="middle"))
    return parts


def _places(wide: float, x: float, y: float, frame: Box) -> list[Box]:
    """Candidate boxes of a label: in lines above and below its point, shifted left and right, inside the frame."""
    boxes = []
    for row, shift in product(range(-8, 9), (0.0, 0.35, -0.35, 0.62, -0.62, 1.0, -1.0)):
        middle = min(max(x + shift * wide, frame[0] + wide / 2), frame[2] - wide / 2)
        box = (middle - wide / 2, y + (row - 0.5) * LINE, middle + wide / 2, y + (row + 0.5) * LINE)
        if box[1] >= frame[1] and box[3] <= frame[3]:
            boxes.append(box)
    return boxes


def _cost(box: Box, own: tuple[float, float], others: Sequence[tuple[float, float]], taken: Sequence[Box]) -> tuple[float, ...]:
    """Sort key, worst criterion first: overlap with others, number of other points that are nearer, distance from its own point."""
    away = _distance(box, *own)
    mistaken = sum(_distance(box, *other) < away for other in others)
    return _overlaps(box, taken), mistaken, away


def _overlaps(box: Box, taken: Sequence[Box]) -> float:
    return sum(_overlap(box, other) for other in taken)


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _distance(box: Box, x: float, y: float) -> float:
    """Distance of a label's centre from its point; vertical distance counts double, because labels at the side are easier to read."""
    return abs((box[0] + box[2]) / 2 - x) + 2 * abs((box[1] + box[3]) / 2 - y)
