"""A plan for int8: how ranges are measured, and which layers stay in float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.export.quantize.head import behind_layers
from edgecnn.export.quantize.layers import Layer, LayerOperator, operators_by_layer


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """``ranges`` is one of ``edgecnn.export.quantize.histogram.METHODS``; ``keep`` names those of ``layers`` that stay in float."""

    ranges: str = "min-max"
    keep: frozenset[str] = frozenset()
    layers: tuple[Layer, ...] = ()

    def float_operators(self, operators: Sequence[LayerOperator]) -> set[str]:
        """Names of the operators of a graph that stay in float: those of ``keep``, and those behind the last layers."""
        head = behind_layers(operators)
        if not self.keep:
            return head
        found = operators_by_layer(operators, self.layers)
        return head | {name for layer in self.keep for name in found[layer]}


PLAIN = QuantizationPlan()
