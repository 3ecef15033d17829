"""Stacked bars of the parts of a total, one row per file; and a sparkline of medians over the rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.report.svg import BOLD, DESKTOP_WIDTH, SMALL, element, line, shorten, svg_document, text, text_width
from edgecnn.benchmarks.report.table import format_ms
from edgecnn.types import nearest_rank

BAR, HEAD, MARGIN = 18.0, 28.0, 4.0


@dataclass(frozen=True, slots=True)
class BarStack:
    """One row: a number by part, in order, all in one unit."""

    name: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return sum(self.parts.values())


def stacked_bars(
    stacks: Sequence[BarStack], width: float, title: str, *, number: Callable[[float], str] = format_ms, unit: str = " ms"
) -> str:
    """The bars as SVG of ``width`` pixels, on a common linear scale from zero; ``number`` writes a value, ``unit`` follows the total."""
    beside = width >= DESKTOP_WIDTH
    row = 30.0 if beside else 52.0
    left = min(max(text_width(stack.name) for stack in stacks) * BOLD + 18, width * 0.26) if beside else MARGIN
    right = width - (86.0 if beside else MARGIN)
    scale = (right - left) / (max(stack.total for stack in stacks) or 1.0)
    parts = _legend(list(stacks[0].parts), left, width)
    for index, stack in enumerate(stacks):
        top = HEAD + index * row
        parts += _words(
            stack, f"{number(stack.total)}{unit}", top + (14 if beside else 15), width, left - 16 if beside else width - 110
        )
        parts += _bar(stack, left, top + (0 if beside else 22), scale, number)
    return svg_document(width, HEAD + row * len(stacks), title, parts)


def _legend(names: Sequence[str], x: float, width: float) -> list[str]:
    parts = []
    for index, name in enumerate(names):
        parts.append(element("rect", x=x, y=4, width=11, height=11, rx=2, class_=f"part part{index}"))
        parts.append(text(x + 16, 14, name, class_="tick"))
        x += 16 + text_width(name, SMALL) + (14 if width >= DESKTOP_WIDTH else 6)
    return parts


def _words(stack: BarStack, total: str, y: float, width: float, room: float) -> list[str]:
    return [
        text(MARGIN, y, shorten(stack.name, room), class_="name"),
        text(width - MARGIN, y, total, class_="number", text_anchor="end"),
    ]


def _bar(stack: BarStack, x: float, top: float, scale: float, number: Callable[[float], str]) -> list[str]:
    parts = []
    for index, (name, value) in enumerate(stack.parts.items()):
        wide = value * scale
        label = element("title", f"{name}: {number(value)}")
        parts.append(element("rect", label, x=x, y=top, width=max(wide, 0.5), height=BAR, class_=f"part part{index}"))
        words = number(value)
        if wide > text_width(words, SMALL) + 8:
            parts.append(text(x + wide / 2, top + 13, words, class_=f"inside inside{index}", text_anchor="middle"))
        x += wide
    return parts


def sparkline(rounds: Sequence[Sequence[float]], width: float = 96.0, height: float = 22.0) -> str:
    """Medians of the rounds over time; the full height is at least 10 % above and below the median of all."""
    medians = [nearest_rank(samples, 50) for samples in rounds]
    middle = nearest_rank(medians, 50)
    reach = max(0.1, *(abs(value / middle - 1) for value in medians))
    step = (width - 6) / max(len(medians) - 1, 1)
    spots = [
        (3 + index * step, height / 2 - (value / middle - 1) / reach * (height / 2 - 3)) for index, value in enumerate(medians)
    ]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    parts = [line(0, height / 2, width, height / 2, "grid"), element("path", d=path, class_="spark")]
    return svg_document(width, height, f"medians of {len(medians)} rounds, full height ±{reach:.0%}", parts)
