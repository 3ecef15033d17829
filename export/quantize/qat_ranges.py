"""Ranges that were trained: which tensor of a converted graph each belongs to, found by what the tensors hold.

Converters rename, merge and transpose, so names say nothing. The float network and the converted graph are shown the same image, and
a tensor that holds what arrives at a rounding of the network, in either layout, is that place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.export.graph import Deployable, example, wrap
from edgecnn.models.quantized import Quantized
from edgecnn.types import Array

CLOSE = 1e-3  # of the range of a tensor: float graphs that were converted differ by a hundredth of that
RECORD = {"ranges": "trained"}  # what a card's calibration says of them

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One place where int8 rounds: what arrives there for the image, as (H, W, C)-ordered and (C, H, W)-ordered values, and its ends."""

    name: str
    values: tuple[Array, Array]
    range: Range

    def distance(self, tensor: Array) -> float:
        """How far the values of ``tensor`` are from these in the nearer layout, in parts of their range; infinite for another size."""
        if tensor.size != self.values[0].size:
            return float("inf")
        flat = tensor.reshape(-1)
        spread = max(float(np.ptp(self.values[0])), 1e-6)
        return min(float(np.abs(flat - values).max()) for values in self.values) / spread


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The image that was shown, (1, H, W, C) uint8, and the places; raw pixels and the input of the network are among them."""

    image: Array
    points: Sequence[Point]

    def match(self, tensors: Mapping[str, Array]) -> dict[str, Range]:
        """The range of each tensor that is one of the places.

        Raises ``InputError`` where a place is not among them: its range would be lost.
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
                f"a place for each of {len(self.points)} trained ranges", f"none for {min(missing)}", "train with other layers"
            )
        return found


OPTIONAL = ("pixels", "input")  # a graph may have neither as numbers: they are folded into the first weights


def trained(model: Quantized, card: ModelCard) -> Trained:
    """The places of ``model`` with their trained ranges; ``card`` is the checkpoint's."""
    image = example(card)
    graph, _ = wrap(model, card)
    values = model.values(lambda: graph(image))
    points = [_point(name, values[name], point.ends()) for name, point in model.points.items()]
    return Trained(image.numpy(), [*_prepared(graph, image), *points])


def _prepared(graph: Deployable, image: torch.Tensor) -> Iterable[Point]:
    """Raw pixels, and what is left of them when the mean is taken away: both known to the last bit."""
    pixels = image.permute(0, 3, 1, 2).float()
    yield _point("pixels", pixels, (0.0, 255.0))
    if graph.has_mean:
        mean = -graph.shift / graph.scale
        mean = torch.flip(mean, [1]) if graph.flip else mean
        yield _point("input", pixels - mean, (-float(mean.max()), 255.0 - float(mean.min())))


def _point(name: str, value: torch.Tensor, ends: Range) -> Point:
    moved = value.permute(0, 2, 3, 1) if value.ndim == 4 else value
    return Point(name, (moved.numpy().reshape(-1), value.numpy().reshape(-1)), ends)


def spread(known: Mapping[str, Range], links: Iterable[tuple[str, str]]) -> dict[str, Range]:
    """``known`` and what follows from it: ``links`` are (from, to) of operators that hand numbers on, in the order of the graph."""
    result = dict(known)
    for source, target in links:
        if source in result:
            result.setdefault(target, result[source])
    return result
