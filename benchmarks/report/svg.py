"""SVG elements, text widths and a logarithmic axis for the report's plots. Colours come from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

FONT = 13.0
SMALL = 11.5
BOLD = 1.08  # how much wider bold text is
DESKTOP_WIDTH = 640.0  # from this width on, names and numbers are left and right of their row, not above it
# Letters by width: about 0.33, 0.9 and, for all others, 0.6 of the font size in common sans-serif fonts.
_NARROW, _WIDE = set("ijl.,:;|'!ft()[]- "), set("mwMW@%")


def element(name: str, content: str = "", **attributes: Any) -> str:
    """One element; ``class_`` and names with ``_`` become SVG's own (stroke_dasharray), numbers have two decimals."""
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    text = "".join(f' {key}="{_attribute(value)}"' for key, value in pairs)
    return f"<{name}{text}>{content}</{name}>" if content else f"<{name}{text}/>"


def text(x: float, y: float, words: str, **attributes: Any) -> str:
    """A line of text, escaped; ``y`` is its baseline."""
    return element("text", escape(words), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str, **attributes: Any) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_, **attributes)


def svg_document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The svg element, with a title for screen readers."""
    inner = element("title", escape(title)) + "".join(parts)
    return element("svg", inner, viewBox=f"0 0 {_attribute(width)} {_attribute(height)}", role="img", width=width, height=height)


def text_width(words: str, size: float = FONT) -> float:
    """Estimated width in pixels of a text in a sans-serif font of ``size`` pixels; errs on the wide side."""
    return sum(0.33 if letter in _NARROW else 0.9 if letter in _WIDE else 0.6 for letter in words) * size


def shorten(words: str, width: float, size: float = FONT) -> str:
    """``words`` cut in the middle until they fit."""
    keep = len(words)
    cut = words
    while keep > 4 and text_width(cut, size) > width:
        keep -= 1
        cut = f"{words[: keep - keep // 2]}…{words[-(keep // 2) :]}"
    return cut


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis: maps ``low`` to ``high`` (both positive) to ``left`` to ``right`` pixels."""

    low: float
    high: float
    left: float
    right: float

    @classmethod
    def around(cls, values: Sequence[float], left: float, right: float, room: float = 1.06) -> LogAxis:
        """An axis that holds all ``values`` with a little room at both ends."""
        low, high = min(values), max(values)
        # at least a factor of 1.2 from low to high: a single value needs an axis, too
        room = max(room, (1.2 * low / high) ** 0.5)
        return cls(low / room, high * room, left, right)

    def __call__(self, value: float) -> float:
        """The position of a value in pixels."""
        return self.left + math.log(value / self.low) / math.log(self.high / self.low) * (self.right - self.left)

    def ticks(self, most: int) -> list[float]:
        """Round values inside the axis, at most ``most``: powers of ten with 1-2-5 between, or even steps on a short axis."""
        if self.high / self.low < 3:
            return even_ticks(self.low, self.high, most)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps if self.low <= step * 10.0**decade <= self.high]
            if len(found) <= most:
                break
        return found


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values in even steps of 1, 2 or 5 times a power of ten, from ``low`` to ``high``, at most ``most``."""
    raw = (high - low) / max(most, 1)
    decade = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= raw)
    # 1e-9: a bound that is a tick itself must not be lost to rounding
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """The label of a tick: up to six significant digits."""
    return f"{value:.6g}"


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value))
