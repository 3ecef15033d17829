"""Narrows the ranges of tensors to what the operators behind them can tell apart.

SiLU (x times sigmoid of x) is near 0 for every x below -8, hard swish is 0 below -3; a sigmoid is 0 or 1 outside of -8..8. Batch-norms
make values far below that, and a range that holds them has few of its 256 steps where the activation varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgecnn.export.quantize.layers import LayerOperator

SIGMOIDS = ("Sigmoid", "LOGISTIC")
HARD_SIGMOIDS = ("HardSigmoid",)
HARD_SWISHES = ("HardSwish", "HARD_SWISH")
PRODUCTS = ("Mul", "MUL")
# SiLU is -0.003 at its end, a sigmoid 0.0003 from its own. The hard versions are exact.
SMOOTH_END, HARD_END = 8.0, 3.0
INFINITE = float("inf")

Range = tuple[float, float]


def useful_ranges(operators: Sequence[LayerOperator]) -> dict[str, Range]:
    """The lowest and highest value that matter, by the name of a tensor; tensors without such limits are left out."""
    readers: dict[str, list[LayerOperator]] = {}
    for operator in operators:
        for name in operator.inputs:
            readers.setdefault(name, []).append(operator)
    found = {name: _limits(name, near, readers) for name, near in readers.items()}
    return {name: ends for name, ends in found.items() if ends is not None}


def narrowed(ranges: Mapping[str, Range], useful: Mapping[str, Range]) -> dict[str, Range]:
    """``ranges`` without what lies outside of ``useful``."""
    return {name: _inside(ends, useful[name]) if name in useful else ends for name, ends in ranges.items()}


def _inside(ends: Range, useful: Range) -> Range:
    low, high = max(ends[0], useful[0]), min(ends[1], useful[1])
    return (low, high) if low < high else ends


def _limits(name: str, near: Sequence[LayerOperator], readers: Mapping[str, Sequence[LayerOperator]]) -> Range | None:
    gates = [operator for operator in near if operator.kind in (*SIGMOIDS, *HARD_SIGMOIDS)]
    gated = {made for gate in gates for made in gate.outputs}
    others = [operator for operator in near if operator not in gates]
    if all(operator.kind in HARD_SWISHES for operator in near):
        return -HARD_END, INFINITE
    if not gates:
        return None
    end = SMOOTH_END if any(gate.kind in SIGMOIDS for gate in gates) else HARD_END
    if not others:
        return -end, end
    # x * sigmoid(x) and nothing else; the sigmoid alone may also be read by others
    products = all(operator.kind in PRODUCTS and set(operator.inputs) <= {name, *gated} for operator in others)
    return (-end, INFINITE) if products and all(readers.get(made) for made in gated) else None
