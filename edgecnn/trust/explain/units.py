"""What makes each unit (channel) of a layer fire most, and which units never do, over a stream of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.inside.graph import FloatArray
from edgecnn.types import Int64

# Activations that are zero, or next to it, where their input is negative: a unit that is never above zero says nothing.
CLOSING = ("relu", "relu6", "silu", "hard-swish", "gelu", "mish", "softplus", "elu")
OF_UNITS = ("conv", "depthwise conv", "transposed conv")


class Peak(NamedTuple):
    """The highest value of a unit in an image: the number of the image in the dataset, and the place in the map."""

    value: float
    image: int
    row: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class UnitSummary:
    """The units of a layer over ``images`` images.

    ``dead`` are never above zero behind an activation that closes there, ``constant`` have the same value everywhere (a dead unit is
    not listed again). ``peaks`` has the highest values of each unit, one for each image, the highest first; () where they were not kept.
    """

    images: int
    channels: int
    dead: tuple[int, ...]
    constant: tuple[int, ...]
    peaks: tuple[tuple[Peak, ...], ...] = ()

    @property
    def silent(self) -> tuple[int, ...]:
        """Units that say nothing: dead or constant."""
        return tuple(sorted((*self.dead, *self.constant)))


class UnitWatch:
    """Takes the activations of one image after the other; memory does not grow with their number.

    ``kept`` are the layers whose peaks are kept, ``count`` of them for each unit.
    """

    def __init__(self, steps: Sequence[LayerStep], kept: Sequence[str], count: int) -> None:
        self.images = 0
        self._own = {step.layer.name: _LayerWatch(step, count if step.layer.name in kept else 0) for step in steps}

    @property
    def names(self) -> list[str]:
        """The layers whose activations ``add`` takes."""
        return list(self._own)

    def add(self, index: int, activations: Mapping[str, FloatArray]) -> bool:
        """The maps (channels, height, width) of image ``index`` by layer; whether one of its values is a peak so far."""
        self.images += 1
        # each layer has to see them, also behind one with a peak
        peaks = [own.add(index, activations[name]) for name, own in self._own.items()]
        return any(peaks)

    def with_peaks(self) -> set[int]:
        """The numbers of the images that have a peak so far."""
        return {index for own in self._own.values() for index in own.images()}

    def result(self) -> dict[str, UnitSummary]:
        """What was seen, by layer."""
        return {name: own.result(self.images) for name, own in self._own.items()}


class _LayerWatch:
    def __init__(self, step: LayerStep, count: int) -> None:
        channels = step.layer.channels
        self._closes, self._count = step.activation in CLOSING, count
        self._low, self._high = np.full(channels, np.inf), np.full(channels, -np.inf)
        self._values: FloatArray = np.full((channels, count), -np.inf, np.float32)
        self._where: Int64 = np.zeros((channels, count, 3), np.int64)

    def add(self, index: int, maps: FloatArray) -> bool:
        channels, _, width = maps.shape
        flat = maps.reshape(channels, -1)
        place = flat.argmax(1)
        units = np.arange(channels)
        high = flat[units, place]
        self._low, self._high = np.minimum(self._low, flat.min(1)), np.maximum(self._high, high)
        if not self._count:
            return False
        weakest = self._values.argmin(1)
        better = high > self._values[units, weakest]
        chosen = units[better], weakest[better]
        self._values[chosen] = high[better]
        self._where[chosen] = np.stack([np.full(channels, index), place // width, place % width], 1)[better]
        return bool(better.any())

    def images(self) -> set[int]:
        return set(self._where[np.isfinite(self._values)][:, 0].tolist())

    def result(self, images: int) -> UnitSummary:
        dead = (self._high <= 0) if self._closes else np.zeros(len(self._high), bool)
        constant = (self._low == self._high) & ~dead
        return UnitSummary(images, len(dead), _numbers(dead), _numbers(constant), self._peaks())

    def _peaks(self) -> tuple[tuple[Peak, ...], ...]:
        if not self._count:
            return ()
        found = []
        for values, where in zip(self._values, self._where, strict=True):
            order = [place for place in np.argsort(-values, kind="stable").tolist() if np.isfinite(values[place])]
            found.append(tuple(Peak(float(values[place]), *where[place].tolist()) for place in order))
        return tuple(found)


def _numbers(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())
