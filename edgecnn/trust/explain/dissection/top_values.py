"""The value that a small share of all values exceeds, of each unit, over any number of images."""

from __future__ import annotations

import numpy as np

from edgecnn.types import Array, Float32

MOST = 20_000  # values of a unit that are kept; of larger sets positions are sampled


class TopValues:
    """Keeps the highest values of each unit of a layer.

    ``positions`` is how many values of a unit will come at most. The result is exact where ``share`` of them is at most ``most``; else
    it is that of positions that are drawn with ``seed``.
    """

    def __init__(self, positions: int, share: float, *, most: int = MOST, seed: int = 0) -> None:
        self._share = share
        self._part = min(most / (positions * share), 1.0)
        self._kept = int(positions * share * self._part) + 2
        self._random = np.random.default_rng(seed)
        self._seen = 0
        self._values: Float32 | None = None

    def add(self, values: Float32) -> None:
        """The values (units, n) of one image."""
        if self._part < 1:
            values = values[:, self._random.random(values.shape[1]) < self._part]
        self._seen += values.shape[1]
        together = values if self._values is None else np.concatenate([self._values, values], 1)
        if together.shape[1] > self._kept:
            together = np.partition(together, together.shape[1] - self._kept, axis=1)[:, -self._kept :]
        self._values = together

    def thresholds(self) -> Float32:
        """The value (units,) that at most ``share`` of the values exceed. Raises ``ValueError`` before any value has come."""
        if self._values is None or not self._values.shape[1]:
            raise ValueError("there are no values yet")
        rank = min(int(self._seen * self._share), self._values.shape[1] - 1)
        highest: Array = -np.sort(-self._values, axis=1)
        return np.asarray(highest[:, rank], np.float32)
