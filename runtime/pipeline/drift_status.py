"""What is known of the drift of a camera, as plain values for statistics, views and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DriftState = Literal["learning", "normal", "drifted"]
DRIFT_STATES: tuple[DriftState, ...] = ("learning", "normal", "drifted")


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """Whether a camera left its reference: ``text`` says it in one line.

    ``lines`` say it with one line for each measure that left it. ``reference`` names what it is compared with. ``findings`` are the
    records of the measures that left it, the farthest first, ``positions`` where the last window of each measure lay in the reference,
    in standard deviations. ``episodes`` counts the drifts so far, ``drifted_s`` is how long they lasted.
    """

    state: DriftState
    text: str
    reference: str
    findings: tuple[Mapping[str, Any], ...] = ()
    positions: Mapping[str, float] = field(default_factory=dict)
    episodes: int = 0
    drifted_s: float = 0.0
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self) | {"findings": [dict(one) for one in self.findings], "lines": list(self.lines)}
