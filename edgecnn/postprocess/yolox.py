"""YOLOX, Ge et al. 2021, arXiv:2107.08430."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cells
from edgecnn.postprocess.nms import Limits, best_class, suppress
from edgecnn.postprocess.tensors import misfit, rows, single
from edgecnn.types import Detections, Tensors


def yolox(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, N, 5 + C) of cells: centre offset and log size in strides, objectness, class scores.

    Box centre = (offset + cell) * stride, size = exp(log size) * stride, score = objectness * class score. Option ``strides``,
    8, 16 and 32 where it is not given.
    """
    found = single(outputs, "yolox")
    corners, strides = cells(card.preprocess.size, tuple(card.decode.options.get("strides", (8, 16, 32))))
    if found.ndim != 3 or found.shape[1] != len(corners) or found.shape[2] < 6:
        raise misfit("yolox", f"an output (1, {len(corners)}, 5 + classes)", outputs)
    grid = rows(found)
    limits = Limits.of(card.decode.options)
    likely = np.flatnonzero(grid[:, 4] >= limits.score)
    chosen = grid[likely]
    kept, class_id, score = best_class(chosen[:, 5:] * chosen[:, 4:5], limits.score)
    chosen, corners, strides = chosen[kept], corners[likely[kept]], strides[likely[kept]]
    centre = chosen[:, :2] * strides + corners
    half = np.exp(chosen[:, 2:4]) * strides / 2
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score, class_id, limits)
