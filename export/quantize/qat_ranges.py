"""Quantization ranges trained by QAT: assigns each range to a tensor of a converted graph by comparing values.

Converters rename, merge and transpose tensors, so names can't be used. The float network and the converted graph run on the same image.
A tensor whose values equal the input of a FakeQuant, in NHWC or NCHW order, gets the range of that FakeQuant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.export.graph import Deployable, example, wrap
from edgecnn.models.quantized import QuantizedModel
from edgecnn.types import Array

CLOSE = 1e-3  # share of a tensor's range; a float conversion changes values by about a hundredth of this
RECORD = {"ranges": "trained"}  # in the card, in place of a calibration set

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class QuantizationPoint:
    """One FakeQuant: its input values for the example image, flattened in HWC and in CHW order, and its range."""

    name: str
    values: tuple[Array, Array]
    range: Range

    def distance(self, tensor: Array) -> float:
        """Largest difference of ``tensor`` from these values in the better layout, as a share of their range; infinite for another size."""
        if tensor.size != self.values[0].size:
            return float("inf")
        flat = tensor.reshape(-1)
        value_range = max(float(np.ptp(self.values[0])), 1e-6)
        return min(float(np.abs(flat - values).max()) for values in self.values) / value_range


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRanges:
    """The example image, (1, H, W, C) uint8, and all quantization points, including raw pixels and the network's input."""

    image: Array
    points: Sequence[QuantizationPoint]

    def match(self, tensors: Mapping[str, Array]) -> dict[str, Range]:
        """The trained range of each tensor that matches a quantization point.

        Raises ``InputError`` where a point matches no tensor, because its range would be lost.
        """
        found: dict[str, Range] = {}
        missing = {point.name for point in self.points if point.name not in OPTIONAL}
        for name, tensor in tensors.items():
            nearest = min(self.points, key=lambda point: point.distance(tensor))
            if nearest.distance(tensor) <= CLOSE:
                found[name] = nearest.range
                missing.discard(nearest.name)
        if missing:
            raise InputError(
                f"the converted graph has no tensor for {min(missing)}, one of {len(self.points)} trained ranges",
                "train a network without this layer",
            )
        return found


OPTIONAL = ("pixels", "input")  # may be absent from a graph: folding moves them into the first weights


def trained_ranges(model: QuantizedModel, card: ModelCard) -> TrainedRanges:
    """The quantization points of ``model`` with their trained ranges; ``card`` is the checkpoint's."""
    image = example(card)
    graph, _ = wrap(model, card)
    values = model.values(lambda: graph(image))
    points = [_quantization_point(name, values[name], point.ends()) for name, point in model.points.items()]
    return TrainedRanges(image.numpy(), [*_prepared(graph, image), *points])


def _prepared(graph: Deployable, image: torch.Tensor) -> Iterable[QuantizationPoint]:
    """Raw pixels, and pixels minus mean: both ranges are known exactly."""
    pixels = image.permute(0, 3, 1, 2).float()
    yield _quantization_point("pixels", pixels, (0.0, 255.0))
    if graph.has_mean:
        mean = -graph.shift / graph.scale
        mean = torch.flip(mean, [1]) if graph.flip else mean
        yield _quantization_point("input", pixels - mean, (-float(mean.max()), 255.0 - float(mean.min())))


def _quantization_point(name: str, value: torch.Tensor, ends: Range) -> QuantizationPoint:
    moved = value.permute(0, 2, 3, 1) if value.ndim == 4 else value
    return QuantizationPoint(name, (moved.numpy().reshape(-1), value.numpy().reshape(-1)), ends)


def propagate(known: Mapping[str, Range], links: Iterable[tuple[str, str]]) -> dict[str, Range]:
    """``known`` ranges, propagated through operators that do not change values; ``links`` are (input, output) in graph order."""
    result = dict(known)
    for source, target in links:
        if source in result:
            result.setdefault(target, result[source])
    return result
