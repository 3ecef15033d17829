"""FastestDet (dog-qiuqiu): one grid, no anchors."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import grid
from edgecnn.postprocess.nms import Limits, best_class, suppress
from edgecnn.postprocess.tensors import misfit, rows, single
from edgecnn.types import Detections, Tensors

STRIDE = 16


def fastestdet(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, 5 + C, h, w) on a grid of stride 16: objectness, offset, size, class probabilities.

    Centre = (cell + tanh(offset)) * stride, size = sigmoid(size) of the input, score = objectness^0.6 * class^0.4.
    """
    found = single(outputs, "fastestdet")
    height, width = card.preprocess.size
    places = grid((height, width), STRIDE)
    if found.ndim != 4 or found.shape[1] < 6 or found.shape[2] * found.shape[3] != len(places):
        raise misfit("fastestdet", f"an output (1, 5 + classes, {-(-height // STRIDE)}, {-(-width // STRIDE)})", outputs)
    table = rows(found).reshape(found.shape[1], -1)
    limits = Limits.of(card.decode.options)
    scores = table[0].clip(0) ** 0.6 * table[5:].max(axis=0).clip(0) ** 0.4
    kept, _, score = best_class(scores[:, None], limits.score)
    chosen = table[:, kept]
    centre = (places[kept] + np.tanh(chosen[1:3].T)) * STRIDE
    half = np.array([width, height], np.float32) / (1 + np.exp(-chosen[3:5].T)) / 2
    class_id = chosen[5:].argmax(axis=0)
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score, class_id, limits)
