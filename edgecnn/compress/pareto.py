"""Plots accuracy against cost with the Pareto front, one panel for each kind of cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edgecnn.train.plots import BLUE, GRAY, ORANGE, blank, save

COLORS = {"fp32": BLUE, "int8": ORANGE, "fp16": "#3c9a6a"}
LABEL_SIZE = 8
STEPS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6)  # vertical positions of a label, closest first


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """One network or file: ``cost`` in the panel's unit, ``accuracy`` 0..1, ``kind`` gives the colour."""

    name: str
    cost: float
    accuracy: float
    kind: str = "fp32"


def pareto_front(points: Sequence[ParetoPoint]) -> list[ParetoPoint]:
    """The points that no other point beats in both cost and accuracy, cheapest first."""
    found: list[ParetoPoint] = []
    # by rising cost, a point is on the front exactly if it is more accurate than all cheaper ones
    for point in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        if not found or point.accuracy > found[-1].accuracy:
            found.append(point)
    return found


def draw(title: str, panels: Mapping[str, Sequence[ParetoPoint]], path: Path) -> None:
    """Write the plot; raises ``MissingExtraError`` without matplotlib."""
    columns = min(max(len(panels), 1), 2)
    rows = -(-max(len(panels), 1) // columns)
    figure = blank(6.6 * columns, 4.4 * rows + 0.4)
    figure.suptitle(title)
    drawn = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, points) in zip(drawn, panels.items(), strict=False):
        _panel(axes, name, points)
    for axes in drawn[len(panels) :]:
        axes.set_axis_off()
    figure.canvas.draw()  # the constrained layout places the axes while drawing: labels need their final positions
    for axes, points in zip(drawn, panels.values(), strict=False):
        _label(figure, axes, points)
    save(figure, path)


def _panel(axes: Any, name: str, points: Sequence[ParetoPoint]) -> None:
    line = pareto_front(points)
    axes.plot([point.cost for point in line], [point.accuracy * 100 for point in line], color=GRAY, linewidth=1, zorder=1)
    for kind in dict.fromkeys(point.kind for point in points):
        own = [point for point in points if point.kind == kind]
        x, y = [point.cost for point in own], [point.accuracy * 100 for point in own]
        axes.scatter(x, y, s=34, color=COLORS.get(kind, GRAY), label=kind, zorder=2)
    axes.set_xscale("log")
    axes.margins(x=0.22, y=0.16)
    axes.set(xlabel=name, ylabel="accuracy in %")
    axes.xaxis.set_major_formatter(_short)
    axes.xaxis.set_minor_formatter(_sparse(points))
    axes.tick_params(axis="x", which="both", length=3, pad=4, labelsize=9)
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    if len({point.kind for point in points}) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=LABEL_SIZE, borderpad=0)


def _short(value: float, _: object = None) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def _sparse(points: Sequence[ParetoPoint]) -> Any:
    """Labels of the minor ticks between powers of ten: all where the points are close together, else 2 and 5."""
    costs = [point.cost for point in points]
    named = range(2, 10) if max(costs) / min(costs) < 6 else (2, 5)

    def name(value: float, _: object = None) -> str:
        return _short(value) if round(value / 10 ** math.floor(math.log10(value) + 1e-9)) in named else ""

    return name


def _label(figure: Any, axes: Any, points: Sequence[ParetoPoint]) -> None:
    """Write the name of each point beside it, at the candidate position that overlaps least with what is drawn."""
    renderer = figure.canvas.get_renderer()
    # in pixels from here on: labels must not overlap on the screen, whatever the scale of the axes
    spots = axes.transData.transform([(point.cost, point.accuracy * 100) for point in points])
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    frame = axes.get_window_extent(renderer)
    for point, (x, y) in zip(points, spots, strict=True):
        text = _write(axes, point, (0, 0))
        extent = text.get_window_extent(renderer)
        text.remove()
        wide, high = extent.width, extent.height
        box = min(_places(x, y, wide, high), key=lambda box: _cost(box, (x, y), taken, frame))
        taken.append(box)
        far = abs((box[1] + box[3]) / 2 - y) > 1.6 * high
        place = ((box[0] - x) * 72 / figure.dpi, (box[1] - y) * 72 / figure.dpi)
        _write(axes, point, place, arrow={"arrowstyle": "-", "color": GRAY, "linewidth": 0.6} if far else None)


def _write(axes: Any, point: ParetoPoint, place: tuple[float, float], arrow: Mapping[str, Any] | None = None) -> Any:
    """The point's name at an offset ``place`` in typographic points."""
    spot, color = (point.cost, point.accuracy * 100), COLORS.get(point.kind, GRAY)
    return axes.annotate(point.name, spot, place, textcoords="offset points", fontsize=LABEL_SIZE, color=color, arrowprops=arrow)


Box = tuple[float, float, float, float]


def _places(x: float, y: float, wide: float, high: float) -> list[Box]:
    lefts = (x + 9, x - 9 - wide, x - wide / 2)
    return [
        (left, y + step * high * 0.6 - high / 2, left + wide, y + step * high * 0.6 + high / 2)
        for step, left in product(STEPS, lefts)
    ]


def _cost(box: Box, own: tuple[float, float], taken: Sequence[Box], frame: Any) -> tuple[float, float, float]:
    """The badness of a position, worst first: pixels outside the panel, area covered, distance to the point.

    Tuples compare by their first different item: a position outside is worse than any overlap.
    """
    outside = max(frame.x0 - box[0], 0) + max(box[2] - frame.x1, 0) + max(frame.y0 - box[1], 0) + max(box[3] - frame.y1, 0)
    covered = sum(
        max(min(box[2], other[2]) - max(box[0], other[0]), 0) * max(min(box[3], other[3]) - max(box[1], other[1]), 0)
        for other in taken
    )
    away = abs((box[0] + box[2]) / 2 - own[0]) * 0.5 + abs((box[1] + box[3]) / 2 - own[1]) * 2
    return outside, covered, away
