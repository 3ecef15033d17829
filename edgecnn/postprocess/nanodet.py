"""Decodes NanoDet and NanoDet-Plus (https://github.com/RangiLyu/nanodet), whose distances are distributions (GFL, arXiv:2006.04388)."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cell_count, cells
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.types import Detections, Tensors

BINS = 8  # reg_max 7
# NanoDet-Plus measures from the corner of a cell, NanoDet from its centre (nanodet/model/head, get_single_level_center_priors and
# get_single_level_center_point).
LAYOUTS = {(8, 16, 32, 64): 0.0, (8, 16, 32): 0.5}


def nanodet(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, N, C + 32) of cells: class scores in 0..1, then the distributions of left, top, right and bottom in strides."""
    output = single(outputs, "nanodet")
    size, classes = card.preprocess.size, len(card.labels)
    strides = next((one for one in LAYOUTS if output.ndim == 3 and output.shape[1] == cell_count(size, one)), None)
    if strides is None or output.shape[2] != classes + 4 * BINS:
        counts = " or ".join(str(cell_count(size, one)) for one in LAYOUTS)
        raise unexpected_outputs("nanodet", f"an output (1, {counts}, {classes + 4 * BINS})", outputs)
    table = first_image(output)
    options = NmsOptions.from_card(card.decode.options)
    kept, class_id, score = best_class(table[:, :classes], options.score_threshold)
    corners, widths = cells(size, strides)
    logits = table[kept, classes:].reshape(-1, 4, BINS)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    sides = (shares / shares.sum(axis=2, keepdims=True)) @ np.arange(BINS, dtype=np.float32) * widths[kept]
    origin = corners[kept] + np.float32(LAYOUTS[strides]) * widths[kept]
    return suppress(np.concatenate([origin - sides[:, :2], origin + sides[:, 2:]], axis=1), score, class_id, options)
