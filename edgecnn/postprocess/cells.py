"""Computes the grid cells of single-stage detectors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgecnn.types import Float32


@lru_cache(maxsize=16)
def cells(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Float32, Float32]:
    """Top-left corners (N, 2), x and y in pixels, and strides (N, 1) of all cells, stride after stride, row by row.

    ``size`` is (height, width) of the input; the last cell of a row or column may be partial.
    """
    grids = [grid(size, stride) * np.float32(stride) for stride in strides]
    widths = [np.full((len(corners), 1), stride, np.float32) for corners, stride in zip(grids, strides, strict=True)]
    return np.concatenate(grids), np.concatenate(widths)


def grid(size: tuple[int, int], stride: int) -> Float32:
    """Column and row (n, 2) of the cells of one stride, row by row."""
    # division rounded up, as convolutions with "same" padding do
    height, width = (-(-length // stride) for length in size)
    columns, lines = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([columns.ravel(), lines.ravel()], axis=1).astype(np.float32)


def cell_count(size: tuple[int, int], strides: tuple[int, ...]) -> int:
    """The number of cells of an input of ``size`` (height, width) over all strides."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)
