"""What a tool measures by its own definition, and the text of its definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Values = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """The definition of one tool, in words: what a latency spans, what runs before, when it ends, and which statistic it reports."""

    timed: str
    warm_up: str
    duration: str
    statistic: str
    source: str


@dataclass(frozen=True, slots=True)
class ToolReport:
    """The results of one file. ``values``: by the tool's own names, with the unit in the name where the tool writes one.

    ``samples_ms``: what the latencies were computed from, in the order of measurement; ``notes``: what differs from the tool.
    """

    values: Mapping[str, float | int | str]
    samples_ms: tuple[float, ...]
    seconds: float
    notes: tuple[str, ...] = field(default_factory=tuple)
