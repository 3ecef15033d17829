"""Signal to noise of a network's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgecnn.types import Array

MOST_DB = 120.0  # what float32 rounding leaves; no noise at all counts as this


def signal_to_noise(expected: Sequence[Array], got: Sequence[Array]) -> float:
    """Mean ratio in decibels of the power of ``expected`` to that of the error of ``got``; one (N, ...) array for each output.

    Of maps and lists of boxes, each channel has a ratio of its own: coordinates of 0..640 would hide scores of 0..1.
    """
    ratios = [ratio for want, have in zip(expected, got, strict=True) for ratio in _ratios(want, have)]
    return float(np.mean(ratios)) if ratios else MOST_DB


def _ratios(expected: Array, got: Array) -> Iterator[float]:
    for want, have in zip(_channels(expected), _channels(got), strict=True):
        signal, noise = (float(np.square(part, dtype=np.float64).sum()) for part in (want, want - have))
        if not np.isfinite(noise):
            yield -MOST_DB
        elif signal:
            yield float(np.clip(10 * np.log10(signal / max(noise, 1e-300)), -MOST_DB, MOST_DB))


def _channels(outputs: Array) -> Array:
    """(channels, values): of three and more dimensions after the first the shortest one is that of the channels."""
    if outputs.ndim < 3:
        return outputs.reshape(1, -1)
    axis = 1 + int(np.argmin(outputs.shape[1:]))
    moved = np.moveaxis(outputs, axis, 0)
    return moved.reshape(len(moved), -1)
