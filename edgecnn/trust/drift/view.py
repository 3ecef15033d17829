"""The usual view of a camera, learnt from its own frames: a moved camera shows another one."""

from __future__ import annotations

import math

import numpy as np

from edgecnn.types import Float32

_LEAST_WINDOWS = 12  # a minute
_MOST_WINDOWS = 180  # older ones are forgotten slowly: shadows wander
_SCALE = 4.0  # Fisher's z to positions: a correlation of 0.9 is 5.9, of 0.6 is 2.8
_LARGEST = 0.995


class UsualView:
    """The mean thumbnail; ``known`` (192,) is that of an earlier run, empty for none."""

    def __init__(self, known: Float32) -> None:
        self._mean = known.astype(np.float32)
        self._count = _MOST_WINDOWS // 2 if known.size else 0

    def position(self, thumbnail: Float32) -> float | None:
        """How well ``thumbnail`` (192,) fits, as Fisher's z of the correlation; None while too little is known."""
        if self._count < _LEAST_WINDOWS:
            return None
        return _SCALE * math.atanh(min(max(correlation(thumbnail, self._mean), 0.0), _LARGEST))

    def add(self, thumbnail: Float32) -> None:
        """Add a thumbnail (192,) in which nothing has changed."""
        self._count = min(self._count + 1, _MOST_WINDOWS)
        step = np.float32(1 / self._count)
        self._mean = thumbnail.copy() if self._count == 1 else self._mean + (thumbnail - self._mean) * step


def correlation(first: Float32, second: Float32) -> float:
    """The cosine between two thumbnails, which have a mean of 0."""
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / length if length > 1e-9 else 0.0
