"""Decodes anchor-free detectors that predict distances to the four sides, such as EdgeDet: FCOS, arXiv:1904.01355."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cells
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.types import Detections, Tensors


def fcos(outputs: Tensors, card: ModelCard) -> Detections:
    """``boxes`` (1, N, 4): distances left, top, right, bottom from the cell's centre in strides; ``scores`` (1, N, C) in 0..1.

    The N cells are the grids of option ``strides`` (default 8, 16, 32) one after the other, each row by row.
    """
    corners, strides = cells(card.preprocess.size, tuple(card.decode.options.get("strides", (8, 16, 32))))
    # found by name: with four classes both outputs have the same shape
    shapes = {name: array.shape for name, array in outputs.items()}
    if shapes.get("boxes") != (1, len(corners), 4) or shapes.get("scores", ())[:2] != (1, len(corners)):
        raise unexpected_outputs("fcos", f"boxes (1, {len(corners)}, 4) and scores (1, {len(corners)}, classes)", outputs)
    options = NmsOptions.from_card(card.decode.options)
    kept, class_id, score = best_class(first_image(outputs["scores"]), options.score_threshold)
    stride = strides[kept]
    sides = first_image(outputs["boxes"])[kept] * stride
    centre = corners[kept] + stride / 2
    return suppress(np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], axis=1), score, class_id, options)
