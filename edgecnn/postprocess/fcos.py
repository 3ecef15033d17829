"""Anchor-free detectors that give distances to the four sides: edgecnn's own. FCOS, Tian et al. 2019, arXiv:1904.01355."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import Limits, best_class, suppress
from edgecnn.postprocess.tensors import misfit, rows
from edgecnn.types import Detections, Float32, Tensors

STRIDES = (8, 16, 32)


def fcos(outputs: Tensors, card: ModelCard) -> Detections:
    """``boxes`` (1, N, 4), left, top, right, bottom in strides, and ``scores`` (1, N, C) in 0..1.

    N cells: the strides' grids one after the other, each row by row.
    """
    centres, strides = _cells(card.preprocess.size, tuple(card.decode.options.get("strides", STRIDES)))
    if not outputs.keys() >= {"boxes", "scores"} or outputs["boxes"].shape != (1, len(centres), 4):
        raise misfit("fcos", f"boxes (1, {len(centres)}, 4) and scores (1, {len(centres)}, C)", outputs)
    limits = Limits.of(card.decode.options)
    kept, class_id, score = best_class(rows(outputs["scores"]), limits.score)
    sides = rows(outputs["boxes"])[kept] * strides[kept]
    xyxy = np.concatenate([centres[kept] - sides[:, :2], centres[kept] + sides[:, 2:]], axis=1)
    return suppress(xyxy, score, class_id, limits)


@lru_cache(maxsize=8)
def _cells(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Float32, Float32]:
    """Centres (N, 2) in pixels and strides (N, 1) of all cells."""
    grids = [cell_grid(size, stride) for stride in strides]
    centres = np.concatenate([(grid + 0.5) * stride for grid, stride in zip(grids, strides, strict=True)])
    widths = np.concatenate([np.full((len(grid), 1), stride) for grid, stride in zip(grids, strides, strict=True)])
    return centres.astype(np.float32), widths.astype(np.float32)


def cell_grid(size: tuple[int, int], stride: int) -> Float32:
    """Column and row of every cell (n, 2), row by row; a size that ``stride`` does not divide gets one more cell."""
    height, width = (-(-length // stride) for length in size)
    columns, lines = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([columns.ravel(), lines.ravel()], axis=1).astype(np.float32)
