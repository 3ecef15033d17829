"""A figure of the project: what was found over rounds, what was wanted, whether it is reached."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """The median over the rounds, the lowest and highest of them, and what is ``wanted``, at least or ``at_most``; None: only shown."""

    name: str
    found: float
    low: float
    high: float
    wanted: float | None = None
    at_most: bool = False

    @classmethod
    def of(cls, name: str, rounds: Sequence[float], wanted: float | None = None, *, at_most: bool = False) -> Figure:
        """From one value a round."""
        return cls(name, statistics.median(rounds), min(rounds), max(rounds), wanted, at_most)

    @property
    def is_reached(self) -> bool | None:
        """Whether the median is what is wanted."""
        if self.wanted is None:
            return None
        return self.found <= self.wanted if self.at_most else self.found >= self.wanted

    def cells(self) -> list[str]:
        """A row of a table."""
        spread = "" if self.low == self.high else f" ({self.low:.3f}-{self.high:.3f})"
        wanted = "" if self.wanted is None else f"{'at most' if self.at_most else 'at least'} {self.wanted:g}"
        verdict = {None: "", True: "reached", False: "NOT reached"}[self.is_reached]
        return [self.name, f"{self.found:.3f}{spread}", wanted, verdict]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "reached": self.is_reached}
