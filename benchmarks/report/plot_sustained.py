"""Latency, temperature and frequency over a sustained run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.measure.scenario import SustainedCurve
from edgecnn.benchmarks.report.svg import element, even_ticks, line, svg_document, text, tick_text

LEFT, RIGHT, PANEL, GAP, BOTTOM = 46.0, 10.0, 92.0, 26.0, 34.0
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Panel:
    """One panel: a title with its unit, and its curves by CSS class."""

    title: str
    curves: tuple[tuple[str, Values], ...]

    @property
    def known(self) -> list[float]:
        """The values of all curves that were measured."""
        return [value for _, values in self.curves for value in values if value is not None]


def sustained_plot(own: SustainedCurve, width: float, title: str) -> str:
    """The plot as SVG of ``width`` pixels, a panel for each quantity that was measured, above a common axis of time.

    "" for a curve without windows.
    """
    if not own.t_s:
        return ""
    panels = [
        _Panel("latency in ms: p50 below, p99 above", (("curve", own.latency_ms_p50), ("curve p99", own.latency_ms_p99))),
        _Panel("temperature in °C", (("curve heat", own.temperature_c),)),
        _Panel("frequency in MHz", (("curve clock", own.frequency_mhz),)),
    ]
    panels = [panel for panel in panels if panel.known]
    last = max(own.t_s[-1], 1e-9)
    xs = [LEFT + t / last * (width - LEFT - RIGHT) for t in own.t_s]
    parts: list[str] = []
    for index, panel in enumerate(panels):
        parts += _panel(panel, xs, GAP + index * (PANEL + GAP), width)
    bottom = len(panels) * (PANEL + GAP)
    for value in even_ticks(0.0, last, max(int(width // 110), 2)):
        x = LEFT + value / last * (width - LEFT - RIGHT)
        parts.append(text(x, bottom + 16, tick_text(value), class_="tick", text_anchor="middle"))
    parts.append(text(width - RIGHT, bottom + 30, "seconds", class_="tick", text_anchor="end"))
    return svg_document(width, bottom + BOTTOM, title, parts)


def _panel(panel: _Panel, xs: Sequence[float], top: float, width: float) -> list[str]:
    low, high = _range(panel.known)
    parts = [text(0, top - 9, panel.title, class_="tick"), line(LEFT, top + PANEL, width - RIGHT, top + PANEL, "axis")]
    for value in even_ticks(low, high, 4):
        y = _place(value, low, high, top)
        parts.append(line(LEFT, y, width - RIGHT, y, "grid"))
        parts.append(text(LEFT - 7, y + 4, tick_text(value), class_="tick", text_anchor="end"))
    for css, values in panel.curves:
        parts.append(element("path", d=_path(xs, [None if v is None else _place(v, low, high, top) for v in values]), class_=css))
    return parts


def _range(values: Sequence[float]) -> tuple[float, float]:
    """With a tenth of room, and at least a tenth of the value: a flat curve is to look flat."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.1, (abs(high) * 0.1 - (high - low)) / 2, 1e-6)
    return low - room, high + room


def _place(value: float, low: float, high: float, top: float) -> float:
    return top + PANEL - (value - low) / (high - low) * PANEL


def _path(xs: Sequence[float], ys: Values) -> str:
    """A line with gaps where nothing was measured."""
    words, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            words.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "M" if y is None else "L"
    return "".join(words)
