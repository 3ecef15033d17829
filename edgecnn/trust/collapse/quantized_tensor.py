"""A quantized tensor inside a file, and what a reader of such tensors gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgecnn.types import Array, Tensors

# The smallest values of SiLU (-.28) and hard-swish (-.375) are flat: many values at the lower end are right.
_FLAT_END = -0.4
_NATURAL_TOPS = (1.0, 6.0)  # of a sigmoid, and of ReLU6


@dataclass(frozen=True, slots=True)
class QuantizedTensor:
    """A tensor inside a file: its name, and the real values of its lowest and highest code."""

    name: str
    low: float
    high: float

    @property
    def natural_low(self) -> bool:
        """Whether values at the lower end may be right: behind a ReLU, SiLU or hard-swish, and of a tanh."""
        step = (self.high - self.low) / 255
        return self.low >= _FLAT_END - step or abs(self.low + 1) < 0.02

    @property
    def natural_high(self) -> bool:
        """Whether values at the upper end may be right: behind a sigmoid, tanh or ReLU6, or where nothing is positive."""
        return self.high <= 0 or any(abs(self.high / top - 1) < 0.02 for top in _NATURAL_TOPS)


class InnerTensors(Protocol):
    """The quantized tensors inside a file, and their values for one input."""

    @property
    def tensors(self) -> Sequence[QuantizedTensor]:
        """The tensors, in the order of the file."""
        ...

    def values(self, feeds: Tensors) -> list[Array]:
        """The values of each tensor, in order: codes, or real values."""
        ...

    def ends(self, index: int) -> tuple[float, float]:
        """The lowest and highest of the values of a tensor, as ``values`` gives them."""
        ...
