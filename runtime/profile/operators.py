"""Operators with their times, and which of them run in another precision or on another device than the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.types import Array, Tensors, TensorSpec

# Operators that convert or move values; in an int8 graph they belong between the two precisions.
CONVERSIONS = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "Cast",
        "Convert",
        "Reorder",
        "Reshape",
        "Transpose",
        "Concat",
    }
    | {"Split", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Gather", "Result", "Parameter", "Identity", "StridedSlice"}
    | {"VariadicSplit", "MemcpyToHost", "MemcpyFromHost"}
)
WEIGHTED = ("conv", "matmul", "gemm", "fullyconnected")  # in the names of types of operators that multiply by weights
FLOATS = ("fp32", "fp16", "bf16")


def fill_batch(feeds: Tensors, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """The feeds of one image repeated to the batch that the file declares."""
    rows = {spec.name: spec.shape[0] for spec in specs if len(spec.shape) == 4 and spec.shape[0] > 1}
    return {name: np.repeat(one, rows[name], axis=0) if len(one) == 1 and name in rows else one for name, one in feeds.items()}


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One operator of the graph as the engine runs it. ``ms``: median of one run; ``place``: provider or device, "" where there is one.

    ``precision``: of its first input, or of its kernel; "" where the engine does not say it. ``kernel``: by the engine's name.
    """

    name: str
    type: str
    ms: float
    precision: str = ""
    place: str = ""
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """The operators of a file, in the order in which they run. ``problem``: why there are none, "" where there are."""

    engine: str
    runs: int = 0
    operators: tuple[OperatorTime, ...] = ()
    problem: str = ""

    @property
    def total_ms(self) -> float:
        """All operators of one run."""
        return sum(one.ms for one in self.operators)

    def top(self, count: int) -> list[OperatorTime]:
        """The slowest operators, slowest first."""
        return sorted(self.operators, key=lambda one: -one.ms)[:count]

    def share(self, ms: float) -> float:
        """The share of the whole time, 0 without any."""
        return ms / self.total_ms if self.total_ms else 0.0

    def by_type(self) -> Mapping[str, float]:
        """Milliseconds by type of operator and precision, slowest first."""
        found: dict[str, float] = {}
        for one in self.operators:
            key = f"{one.type} {one.precision}".strip()
            found[key] = found.get(key, 0.0) + one.ms
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def fallbacks(self) -> list[str]:
        """One line for each type of operator that runs otherwise than the rest: in float within an int8 graph, on the CPU beside a GPU."""
        return [*self._in_float(), *self._elsewhere()]

    def _in_float(self) -> list[str]:
        own = [one for one in self.operators if one.type not in CONVERSIONS]
        # a float graph may have int8 operators, too, which prepare the bytes of the image
        weighted = [one for one in own if any(word in one.type.lower() for word in WEIGHTED)]
        if not any(one.precision == "int8" for one in weighted or own):
            return []
        found = [one for one in own if one.precision in FLOATS]
        return [f"{text} in {precision}, in an int8 graph" for (_, precision), text in self._grouped(found, "precision")]

    def _elsewhere(self) -> list[str]:
        places = {one.place for one in self.operators if one.place and one.place != "CPU"}
        if not places:
            return []
        found = [one for one in self.operators if one.place == "CPU"]
        return [f"{text} on the CPU, not on {' or '.join(sorted(places))}" for _, text in self._grouped(found, "place")]

    def _grouped(self, found: Sequence[OperatorTime], field: str) -> list[tuple[tuple[str, str], str]]:
        groups: dict[tuple[str, str], list[float]] = {}
        for one in found:
            groups.setdefault((one.type, getattr(one, field)), []).append(one.ms)
        ordered = sorted(groups.items(), key=lambda item: -sum(item[1]))
        return [(key, f"{len(times)} x {key[0]} ({self.share(sum(times)):.0%} of the time)") for key, times in ordered]
