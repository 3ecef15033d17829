"""Cumulative sums that notice a lasting shift in a sequence (CUSUM: Page 1954, Biometrika 41)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgecnn.types import Array


@dataclass(slots=True)
class Cusum:
    """Adds up by how much values exceed ``allowed``, on either side of 0, at most ``most_step`` for each; below, the sums shrink to 0.

    One odd window is no drift, so a limit is some steps high.

    ``up`` and ``down`` are the sums, ``up_since`` and ``down_since`` when each last began to grow: the estimate of when a shift began.
    """

    most_step: float
    up: float = 0.0
    down: float = 0.0
    up_since: float = math.nan
    down_since: float = math.nan

    def add(self, value: float, allowed: float, began: float) -> None:
        """Add the value of a window that ``began`` then (seconds)."""
        if not self.up:
            self.up_since = began
        if not self.down:
            self.down_since = began
        self.up = max(self.up + min(value - allowed, self.most_step), 0.0)
        self.down = max(self.down + min(-value - allowed, self.most_step), 0.0)

    @property
    def largest(self) -> float:
        """The larger sum."""
        return max(self.up, self.down)

    @property
    def since(self) -> float:
        """When the shift to the side of the larger sum began."""
        return self.up_since if self.up >= self.down else self.down_since

    def reset(self) -> None:
        """Begin again."""
        self.up = self.down = 0.0


def largest_sums(values: Array, allowed: Array, most_step: float) -> Array:
    """The largest sum of each sequence (M, S, N) along its last axis, on either side; ``allowed`` (M, 1) is that of each."""
    up = np.zeros(values.shape[:-1])
    down, most = up.copy(), up.copy()
    for step in range(values.shape[-1]):
        value = values[..., step]
        up = np.maximum(up + np.minimum(value - allowed, most_step), 0)
        down = np.maximum(down + np.minimum(-value - allowed, most_step), 0)
        most = np.maximum(most, np.maximum(up, down))
    return np.asarray(most)


def largest_held(values: Array, length: int) -> Array:
    """The farthest from 0 that ``length`` values in a row of each sequence (M, S, N) stay together, on either side."""
    steps = values.shape[-1] - length + 1
    low = high = values[..., :steps]
    for shift in range(1, length):
        low = np.minimum(low, values[..., shift : shift + steps])
        high = np.maximum(high, values[..., shift : shift + steps])
    return np.asarray(np.maximum(low, -high).max(-1))
