"""A measured figure with its target: median, lowest and highest value over the rounds, and whether the target is reached."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """Median, lowest and highest value over the rounds; ``target`` is a minimum, or a maximum if ``at_most``; None: no target."""

    name: str
    median: float
    low: float
    high: float
    target: float | None = None
    at_most: bool = False

    @classmethod
    def of(cls, name: str, rounds: Sequence[float], target: float | None = None, *, at_most: bool = False) -> TargetCheck:
        """From one value per round."""
        return cls(name, statistics.median(rounds), min(rounds), max(rounds), target, at_most)

    @property
    def is_reached(self) -> bool | None:
        """Whether the median reaches the target; None without a target."""
        if self.target is None:
            return None
        return self.median <= self.target if self.at_most else self.median >= self.target

    def cells(self) -> list[str]:
        """A row of a table."""
        spread = "" if self.low == self.high else f" ({self.low:.3f}-{self.high:.3f})"
        target = "" if self.target is None else f"{'at most' if self.at_most else 'at least'} {self.target:g}"
        verdict = {None: "", True: "reached", False: "NOT reached"}[self.is_reached]
        return [self.name, f"{self.median:.3f}{spread}", target, verdict]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "reached": self.is_reached}
