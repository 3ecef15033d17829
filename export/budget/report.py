"""What was tried and what the budget costs, as text and for the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.columns import align_columns
from edgecnn.export.budget.fit import Attempt
from edgecnn.export.budget.sensitivity import Sensitivities

SHOWN = 12  # layers in float that are named


def rounded(drop: float | None) -> float | None:
    """Points for the card."""
    return None if drop is None else round(drop, 3)


@dataclass(frozen=True, slots=True)
class Cost:
    """One file beside others on this machine; ``drop`` in points, None where it was not measured."""

    name: str
    layers: int  # in float
    drop: float | None
    size: int
    latency_ms: float

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {
            "file": self.name,
            "layers_in_float": self.layers,
            "drop_points": rounded(self.drop),
            "size_bytes": self.size,
            "latency_ms": round(self.latency_ms, 3),
        }


def tried_table(attempts: Sequence[Attempt]) -> str:
    """All candidates in the order in which they were tried."""
    measure = attempts[0].outcome.measure
    rows = [["tried", f"{measure} lost", "outputs dB", "layers in float", ""]]
    rows += [
        [
            str(one.method),
            one.outcome.points,
            f"{one.outcome.decibels:.1f}",
            str(len(one.keep)),
            "; ".join(one.outcome.violations[:1]),
        ]
        for one in attempts
    ]
    # the verdict is the last column, and words
    return "\n".join(line.rstrip() for line in _with_words(rows))


def _with_words(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = align_columns([row[:-1] for row in rows], left=1).split("\n")
    return [f"{line}  {row[-1]}" for line, row in zip(lines, rows, strict=True)]


def cost_table(costs: Sequence[Cost], measure: str) -> str:
    """Size and latency of the files side by side."""
    rows = [["file", "layers in float", f"{measure} lost", "size MB", "latency ms"]]
    rows += [
        [
            one.name,
            str(one.layers),
            "-" if one.drop is None else f"{one.drop:.2f}",
            f"{one.size / 1e6:.2f}",
            f"{one.latency_ms:.2f}",
        ]
        for one in costs
    ]
    return align_columns(rows, left=1)


def kept_line(attempt: Attempt, found: Sensitivities | None) -> str:
    """The layers in float, the most sensitive first; "" where there are none."""
    if not attempt.keep or found is None:
        return ""
    names = [f"{name} ({found.decibels(name):.1f} dB)" for name in found.order() if name in attempt.keep]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"in float: {', '.join(names[:SHOWN])}{more}"


def budget_record(
    attempt: Attempt, budget: float, attempts: Sequence[Attempt], costs: Sequence[Cost], found: Sensitivities | None
) -> dict[str, Any]:
    """Plain values for ``calibration`` in the card."""
    kept = [name for name in found.order() if name in attempt.keep] if found is not None else []
    return {
        "method": str(attempt.method),
        "budget": {
            "points": budget,
            "of": attempt.outcome.measure,
            "drop_points": rounded(attempt.outcome.drop),
            "layers": len(found.layers) if found is not None else None,
            "layers_in_float": kept,
            "sensitivity_db": {name: round(found.decibels(name), 1) for name in kept} if found is not None else {},
            "tried": [
                {
                    "method": str(one.method),
                    "layers_in_float": len(one.keep),
                    "drop_points": rounded(one.outcome.drop),
                    "outputs_db": round(one.outcome.decibels, 1),
                }
                for one in attempts
            ],
            "costs": [cost.record() for cost in costs],
        },
    }
