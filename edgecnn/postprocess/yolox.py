"""Decodes YOLOX (Ge et al. 2021, arXiv:2107.08430)."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cells
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.types import Detections, Tensors


def yolox(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, N, 5 + C) of cells: centre offset and log size in strides, objectness, class scores.

    Box centre = (offset + cell) * stride, size = exp(log size) * stride, score = objectness * class score. Option ``strides``
    has the default 8, 16, 32.
    """
    output = single(outputs, "yolox")
    corners, strides = cells(card.preprocess.size, tuple(card.decode.options.get("strides", (8, 16, 32))))
    if output.ndim != 3 or output.shape[1] != len(corners) or output.shape[2] < 6:
        raise unexpected_outputs("yolox", f"an output (1, {len(corners)}, 5 + classes)", outputs)
    grid = first_image(output)
    options = NmsOptions.from_card(card.decode.options)
    # the score can't exceed the objectness: most cells are dropped before any other computation
    likely = np.flatnonzero(grid[:, 4] >= options.score_threshold)
    chosen = grid[likely]
    kept, class_id, score = best_class(chosen[:, 5:] * chosen[:, 4:5], options.score_threshold)
    chosen, corners, strides = chosen[kept], corners[likely[kept]], strides[likely[kept]]
    centre = chosen[:, :2] * strides + corners
    half = np.exp(chosen[:, 2:4]) * strides / 2
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score, class_id, options)
