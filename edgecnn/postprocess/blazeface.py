"""Decodes BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047), the face detectors of MediaPipe.

The anchors are those of MediaPipe's SsdAnchorsCalculator with fixed anchor size
(https://github.com/google-ai-edge/mediapipe, mediapipe/calculators/tflite/ssd_anchors_calculator.cc).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import grid
from edgecnn.postprocess.nms import NmsOptions, suppress
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.types import Array, Detections, Float32, Tensors

# Stride and anchors per cell: short range (128 pixels), back camera (256 pixels), full range (192 pixels).
LAYOUTS = (((8, 2), (16, 6)), ((16, 2), (32, 6)), ((4, 1),))
VALUES = 16  # centre, size and six key points
SCORE_LIMIT = 80.0  # MediaPipe clips raw scores at 100; exp(100) overflows in float32, and both are 0 or 1


def blazeface(outputs: Tensors, card: ModelCard) -> Detections:
    """Regressors (1, N, 16) in pixels from the centre of each anchor, and raw scores (1, N, 1); the key points are left out.

    Centre = anchor + (x, y), size = (width, height), score = sigmoid of the raw score.
    """
    size = card.preprocess.size
    by_shape: dict[tuple[int, ...], Array] = {array.shape: array for array in outputs.values()}
    count = next((shape[1] for shape in by_shape if len(shape) == 3 and shape[2] == 1), 0)
    centres = anchors(size, count)
    if len(outputs) != 2 or centres is None or by_shape.keys() != {(1, count, VALUES), (1, count, 1)}:
        raise unexpected_outputs("blazeface", f"regressors (1, N, {VALUES}) and scores (1, N, 1)", outputs)
    raw = first_image(by_shape[1, count, 1])[:, 0].clip(-SCORE_LIMIT, SCORE_LIMIT)
    score = 1 / (1 + np.exp(-raw))
    options = NmsOptions.from_card(card.decode.options)
    kept = np.flatnonzero(score >= options.score_threshold)
    boxes = first_image(by_shape[1, count, VALUES])[kept, :4]
    centre, half = centres[kept] + boxes[:, :2], boxes[:, 2:] / 2
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score[kept], np.zeros(len(kept), np.int64), options)


@lru_cache(maxsize=4)
def anchors(size: tuple[int, int], count: int) -> Float32 | None:
    """Centres (N, 2), x and y in pixels, of the ``count`` anchors of an input of ``size`` (height, width); None for another number."""
    for layout in LAYOUTS:
        # The number is compared first: a file may state any size.
        if count == sum(per_cell * -(-size[0] // stride) * -(-size[1] // stride) for stride, per_cell in layout):
            parts = [np.repeat((grid(size, stride) + 0.5) * stride, per_cell, axis=0) for stride, per_cell in layout]
            return np.concatenate(parts).astype(np.float32)
    return None
