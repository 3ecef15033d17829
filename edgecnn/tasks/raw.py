"""Any tensors: a model whose outputs edgecnn does not interpret; they are verified, run and written as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.postprocess import RAW
from edgecnn.tasks.interface import Accumulator, Task
from edgecnn.tasks.text import rounded, shape_text, value_text
from edgecnn.types import Array, RawTensors, Tensors, TensorSpec

if TYPE_CHECKING:
    from edgecnn.parity import Agreement, Tolerance

RECORDED = 65_536  # numbers of a tensor in a record; larger ones are written as .npy


class Raw(Task[RawTensors]):
    """Tensors without a meaning, verified by their values alone."""

    name, prediction, model, data = "raw", RawTensors, "a model of raw tensors", "tensors"
    decoders, default_decoder = tuple(RAW), "raw"
    compared = "tensors"
    has_classes = needs_labels = in_rows = by_parts = False
    has_tensors = any_input = True

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """None are usual."""
        return ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """Any outputs fit."""

    def compare(self, expected: RawTensors, got: RawTensors, tolerance: Tolerance) -> Agreement:
        """Nothing more: the errors of all tensors are measured for each task."""
        from edgecnn.parity import Agreement

        return Agreement(0, 0)

    def record(self, prediction: RawTensors, labels: Sequence[str]) -> dict[str, Any]:
        """Name, shape, dtype and values of each tensor; ``values`` is null for a large one."""
        return {"tensors": [_record(name, array) for name, array in prediction.tensors.items()]}

    def headline(self, prediction: RawTensors, labels: Sequence[str]) -> str:
        """Names and shapes."""
        return ", ".join(f"{name} {shape_text(array.shape)}" for name, array in prediction.tensors.items())

    def text(self, prediction: RawTensors, labels: Sequence[str]) -> list[str]:
        """How many tensors, then a line with the range of each."""
        count = len(prediction.tensors)
        return [counted(count, "tensor"), *(f"  {line}" for line in tensor_lines(prediction))]

    def tensors(self, prediction: RawTensors) -> Tensors:
        """All of them."""
        return prediction.tensors

    def check_measure(self) -> None:
        """There is none."""
        raise InputError("raw tensors have no measure of accuracy", "use edgecnn selftest, which compares them with PyTorch's")

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[RawTensors]:
        """There is none."""
        self.check_measure()
        raise AssertionError


def tensor_lines(prediction: RawTensors) -> list[str]:
    """Name, shape, range and mean of each tensor."""
    return [f"{name} {shape_text(array.shape)} {array.dtype}{_range(array)}" for name, array in prediction.tensors.items()]


def _range(array: Array) -> str:
    if not array.size:
        return ""
    low, high, mean = (value_text(float(value)) for value in (array.min(), array.max(), array.mean(dtype=np.float64)))
    return f", {low} to {high}, mean {mean}"


def _record(name: str, array: Array) -> dict[str, Any]:
    values = None if array.size > RECORDED else _plain(array)
    return {"name": name, "shape": list(array.shape), "dtype": str(array.dtype), "values": values}


def _plain(array: Array) -> Any:
    """Nested lists of JSON numbers; null for NaN and infinity."""
    if array.ndim == 0:
        return rounded(float(array)) if array.dtype.kind == "f" else array.item()
    return [_plain(part) for part in array]
