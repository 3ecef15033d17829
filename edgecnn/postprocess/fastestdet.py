"""Decodes FastestDet (https://github.com/dog-qiuqiu/FastestDet), an anchor-free detector with one output grid."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import grid
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.types import Detections, Tensors

STRIDE = 16


def fastestdet(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, 5 + C, h, w), a grid of stride 16: objectness, offset, size, class probabilities.

    Centre = (cell + tanh(offset)) * stride, size = sigmoid(size) of the input, score = objectness^0.6 * class^0.4.
    """
    output = single(outputs, "fastestdet")
    height, width = card.preprocess.size
    corners = grid((height, width), STRIDE)
    if output.ndim != 4 or output.shape[1] < 6 or output.shape[2] * output.shape[3] != len(corners):
        raise unexpected_outputs(
            "fastestdet", f"an output (1, 5 + classes, {-(-height // STRIDE)}, {-(-width // STRIDE)})", outputs
        )
    table = first_image(output).reshape(output.shape[1], -1)
    options = NmsOptions.from_card(card.decode.options)
    # quantized outputs may be slightly negative, whose power would be NaN
    scores = table[0].clip(0) ** 0.6 * table[5:].max(axis=0).clip(0) ** 0.4
    kept, _, score = best_class(scores[:, None], options.score_threshold)
    chosen = table[:, kept]
    centre = (corners[kept] + np.tanh(chosen[1:3].T)) * STRIDE
    half = np.array([width, height], np.float32) / (1 + np.exp(-chosen[3:5].T)) / 2
    class_id = chosen[5:].argmax(axis=0)
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score, class_id, options)
