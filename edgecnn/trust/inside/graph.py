"""The graph of a model file in words that all formats share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Tensors

FloatArray = NDArray[np.float32]
CUT_AT_ZERO = "+relu"  # behind the word of a quantizer whose lowest value is 0: a ReLU before it was merged with it
NodeKind = Literal[
    "conv",
    "depthwise conv",
    "transposed conv",
    "max pool",
    "average pool",
    "pad",
    "resize",
    "slice",
    "activation",
    "quantize",
    "same",
    "sum",
    "product",
    "join",
    "shape",
    "whole",
]
"""What an operator does with places. "same": each place by itself; "shape": places move; "whole": each place sees all others."""


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """The window of a convolution or of pooling, each as (vertical, horizontal); ``pads`` are those at the top and at the left."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class InsideNode:
    """An operator, by the tensor that it makes.

    ``inputs`` are the tensors it reads that depend on the input of the file; constants are left out. ``shape`` is that of the tensor
    in the file, () where it is not known; ``channels_last``: whether four axes are NHWC. ``word`` is what the file calls the operator,
    ``weights`` the constant that holds those of a convolution.
    """

    output: str
    kind: NodeKind
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    channels_last: bool = False
    window: SlidingWindow | None = None
    word: str = ""
    weights: str = ""

    @property
    def places(self) -> tuple[int, int] | None:
        """Height and width of the maps; None for a tensor that has none."""
        return sides(self.shape, self.channels_last)

    @property
    def channels(self) -> int:
        """The channels of a tensor with four axes."""
        return self.shape[3 if self.channels_last else 1]


class FileInside(Protocol):
    """A model file whose inner tensors can be read."""

    @property
    def nodes(self) -> Sequence[InsideNode]:
        """The operators in the order in which they run."""
        ...

    @property
    def input_names(self) -> Sequence[str]:
        """The tensors that the file is fed with."""
        ...

    def run(self, feeds: Tensors, names: Sequence[str]) -> dict[str, FloatArray]:
        """The real values of tensors by name, with the axes that they have in the file. Raises ``BackendError``."""
        ...

    def weights(self, node: InsideNode) -> FloatArray | None:
        """The real weights of a convolution, (out, in, height, width); None where the file does not hold them as a constant."""
        ...

    def close(self) -> None:
        """Free the file; calling it again does nothing."""
        ...


@runtime_checkable
class HasGradients(Protocol):
    """A file whose values can be differentiated: a checkpoint."""

    def gradients(self, feeds: Tensors, name: str, place: tuple[int, int], signs: FloatArray) -> FloatArray | None:
        """The mean over ``signs`` (draws, channels) of |d sum(signs * values at ``place``) / d pixel|, summed over the colours.

        (height, width) float32; None where the tensor ``name`` can't be differentiated.
        """
        ...


def sides(shape: Sequence[int], channels_last: bool) -> tuple[int, int] | None:
    """Height and width of a tensor with four axes; None for any other."""
    if len(shape) != 4:
        return None
    return (shape[1], shape[2]) if channels_last else (shape[2], shape[3])


def same_padding(size: int, out: int, kernel: int, stride: int, dilation: int) -> int:
    """The padding before the first place where a file only says "same": the smaller half of what is needed."""
    return max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0) // 2
