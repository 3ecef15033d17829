"""Curves of several series over one quantity: lines with intervals as bands, and a legend that can be read in both themes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgecnn.benchmarks.report.svg import (
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

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 20.0, 42.0
COLOURS = 10  # then the lines are dashed in the same colours
SWATCH, ROW = 22.0, 17.0
Band = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """One line: ``x`` ascending and ``y`` of the same length; ``band`` has the interval of each point, None where there is none.

    ``strong`` draws it thicker and in the colour of the text, for the mean of the others. ``hue``: its colour, as the place in the
    palette, None: its own place among the series. ``dashed``: what another line of the same colour is to be compared with.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[Band | None, ...] = ()
    strong: bool = False
    hue: int | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class CurveAxes:
    """Titles of the axes, the range of y, names of x values in place of numbers, and a value of x to mark."""

    x_title: str
    y_title: str
    y_range: Band = (0.0, 100.0)
    names: tuple[tuple[float, str], ...] = ()
    mark: float | None = None
    ticks: tuple[float, ...] = ()


def curve_plot(series: Sequence[CurveSeries], width: float, height: float, axes: CurveAxes) -> str:
    """The plot as SVG of ``width`` x ``height`` pixels and the rows of its legend below; "" without a point."""
    xs = sorted({value for own in series for value in own.x})
    if not xs:
        return ""
    right, bottom = width - RIGHT, height - BOTTOM
    low, high = xs[0], xs[-1]
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return LEFT + (value - low) / span * (right - LEFT) if high > low else (LEFT + right) / 2

    def up(value: float) -> float:
        bounded = min(max(value, axes.y_range[0]), axes.y_range[1])
        return bottom - (bounded - axes.y_range[0]) / (axes.y_range[1] - axes.y_range[0]) * (bottom - TOP)

    parts = [*_y_grid(axes, up, right), *_x_grid(axes, xs, across, bottom, width)]
    if axes.mark is not None:
        parts.append(line(across(axes.mark), TOP, across(axes.mark), bottom, "axis", stroke_dasharray="2 3"))
    for index, own in enumerate(series):
        parts += _series(own, _class_of(index, own), across, up)
    legend, rows = _legend(series, width, height)
    return svg_document(width, height + rows * ROW + 4, f"{axes.y_title} against {axes.x_title}", [*parts, *legend])


def _class_of(index: int, own: CurveSeries) -> str:
    if own.strong:
        return "series strong"
    hue = index if own.hue is None else own.hue
    dashed = " dashed" if own.dashed or hue >= COLOURS else ""
    return f"series series{hue % COLOURS}{dashed}"


def _series(own: CurveSeries, css: str, across: Callable[[float], float], up: Callable[[float], float]) -> list[str]:
    spots = [(across(x), up(y)) for x, y in zip(own.x, own.y, strict=True)]
    parts = []
    bands = own.band or (None,) * len(own.x)
    for (x0, one), (x1, other) in pairwise(zip((x for x, _ in spots), bands, strict=True)):
        if one is not None and other is not None:
            corners = [(x0, up(one[0])), (x1, up(other[0])), (x1, up(other[1])), (x0, up(one[1]))]
            parts.append(element("path", d=_path(corners) + "Z", class_=f"band {css}"))
    parts.append(element("path", d=_path(spots), class_=css))
    hint = [f"{own.name}: {y:.1f} at {x:g}" for x, y in zip(own.x, own.y, strict=True)]
    parts += [
        element("circle", element("title", _escaped(words)), cx=x, cy=y, r=2.4, class_=f"spot {css}")
        for (x, y), words in zip(spots, hint, strict=True)
    ]
    return parts


def _legend(series: Sequence[CurveSeries], width: float, top: float) -> tuple[list[str], int]:
    """A swatch and a name for each line, in as many columns as fit; nothing for a single line without a name."""
    named = [(own, _class_of(index, own)) for index, own in enumerate(series) if own.name]
    if not named:
        return [], 0
    wide = min(max(text_width(own.name, SMALL) for own, _ in named) + SWATCH + 16, width - LEFT)
    columns = max(int((width - LEFT) // wide), 1)
    parts = []
    for place, (own, css) in enumerate(named):
        x, y = LEFT + place % columns * wide, top + place // columns * ROW + 4
        parts.append(line(x, y, x + SWATCH - 6, y, css))
        parts.append(text(x + SWATCH, y + 4, shorten(own.name, wide - SWATCH - 6, SMALL), class_="label"))
    return parts, -(-len(named) // columns)


def _x_grid(axes: CurveAxes, xs: Sequence[float], across: Callable[[float], float], bottom: float, width: float) -> list[str]:
    parts = [line(LEFT, bottom, width - RIGHT, bottom, "axis")]
    most = max(int((width - LEFT) // 56), 2)
    if axes.names:
        marks = list(axes.names)
    elif axes.ticks:
        marks = [(value, tick_text(value)) for value in axes.ticks if xs[0] <= value <= xs[-1]]
    else:
        marks = [(value, tick_text(value)) for value in (even_ticks(xs[0], xs[-1], most) if xs[-1] > xs[0] else xs)]
    for value, words in marks:
        parts.append(line(across(value), TOP, across(value), bottom, "grid"))
        parts.append(text(across(value), bottom + 15, words, class_="tick", text_anchor="middle"))
    parts.append(text((LEFT + width - RIGHT) / 2, bottom + 31, axes.x_title, class_="tick", text_anchor="middle"))
    return parts


def _y_grid(axes: CurveAxes, up: Callable[[float], float], right: float) -> list[str]:
    parts = [text(0, 11, axes.y_title, class_="tick")]
    for value in even_ticks(*axes.y_range, 5):
        parts.append(line(LEFT, up(value), right, up(value), "grid"))
        parts.append(text(LEFT - 7, up(value) + 4, tick_text(value), class_="tick", text_anchor="end"))
    return parts


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")
