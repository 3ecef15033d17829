"""Anchor-free detectors that give distances to the four sides: edgecnn's own. FCOS, Tian et al. 2019, arXiv:1904.01355."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cells
from edgecnn.postprocess.nms import Limits, best_class, suppress
from edgecnn.postprocess.tensors import misfit, rows
from edgecnn.types import Detections, Tensors


def fcos(outputs: Tensors, card: ModelCard) -> Detections:
    """``boxes`` (1, N, 4), left, top, right, bottom in strides from a cell's centre, and ``scores`` (1, N, C) in 0..1.

    N cells: the grids of option ``strides`` one after the other, each row by row.
    """
    corners, strides = cells(card.preprocess.size, tuple(card.decode.options.get("strides", (8, 16, 32))))
    shapes = {name: array.shape for name, array in outputs.items()}
    if shapes.get("boxes") != (1, len(corners), 4) or shapes.get("scores", ())[:2] != (1, len(corners)):
        raise misfit("fcos", f"boxes (1, {len(corners)}, 4) and scores (1, {len(corners)}, classes)", outputs)
    limits = Limits.of(card.decode.options)
    kept, class_id, score = best_class(rows(outputs["scores"]), limits.score)
    stride = strides[kept]
    sides = rows(outputs["boxes"])[kept] * stride
    centre = corners[kept] + stride / 2
    return suppress(np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], axis=1), score, class_id, limits)
