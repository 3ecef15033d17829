"""Accuracy against the strength of an attack, a curve with its interval for each file, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.report.svg import element, line, svg_document, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 46.0, 14.0, 12.0, 44.0, 280.0
COLOURS = 6  # classes series0, series1, ... of the page


@dataclass(frozen=True, slots=True)
class Curve:
    """A named curve: ``points`` are (value, low, high) of 0..1 at the places of the axis; ``control``: drawn dashed and without a band."""

    name: str
    points: Sequence[tuple[float, float, float]]
    series: int
    control: bool = False


def curves_plot(curves: Sequence[Curve], ticks: Sequence[str], axis: str, title: str, width: float) -> str:
    """The curves over even steps of the axis, one for each of ``ticks``, as SVG of ``width`` pixels."""
    step = (width - LEFT - RIGHT) / max(len(ticks) - 1, 1)
    places = [LEFT + index * step for index in range(len(ticks))]
    parts = _grid(ticks, places, axis, width)
    for curve in (one for one in curves if not one.control):
        band = [f"{x:.1f} {_y(high):.1f}" for x, (_, _, high) in zip(places, curve.points, strict=True)]
        band += [f"{x:.1f} {_y(low):.1f}" for x, (_, low, _) in reversed(list(zip(places, curve.points, strict=True)))]
        parts.append(element("path", d="M" + "L".join(band) + "Z", class_=f"band series{curve.series % COLOURS}"))
    for curve in curves:
        spots = [(x, _y(value)) for x, (value, _, _) in zip(places, curve.points, strict=True)]
        words = element("title", f"{curve.name}: " + ", ".join(f"{100 * value:.1f} %" for value, _, _ in curve.points))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        kind = f"{'control' if curve.control else 'line'} series{curve.series % COLOURS}"
        parts.append(element("path", words, d=path, class_=kind))
        if not curve.control:
            parts += [element("circle", cx=x, cy=y, r=3.0, class_=f"spot series{curve.series % COLOURS}") for x, y in spots]
    return svg_document(width, HEIGHT, title, parts)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)


def _grid(ticks: Sequence[str], places: Sequence[float], axis: str, width: float) -> list[str]:
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        parts.append(line(LEFT, y, width - RIGHT, y, "grid"))
        parts.append(text(LEFT - 7, y + 4, f"{percent} %", class_="tick", text_anchor="end"))
    for tick, x in zip(ticks, places, strict=True):
        parts.append(text(x, HEIGHT - BOTTOM + 17, tick, class_="tick", text_anchor="middle"))
    parts.append(text((LEFT + width - RIGHT) / 2, HEIGHT - 8, axis, class_="tick", text_anchor="middle"))
    return parts
