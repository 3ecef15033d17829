"""Decodes Ultra-Light-Fast-Generic-Face-Detector-1MB (Linzaer), exported with or without its box decoding."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import grid
from edgecnn.postprocess.nms import NmsOptions, suppress
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.types import Array, Detections, Float32, Tensors

# the encoding of SSD, arXiv:1512.02325: centre = prior + offset * 0.1 * size, size = prior * exp(offset * 0.2)
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
MIN_BOXES = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}  # sides in pixels of the square priors, by stride


def ultraface(outputs: Tensors, card: ModelCard) -> Detections:
    """Scores (1, N, 2) of background and face, and boxes (1, N, 4): corners in 0..1, or raw offsets to the priors.

    They are distinguished by their values: corners always have x2 > x1 and y2 > y1, thousands of raw offsets never all do.
    """
    anchors = priors(card.preprocess.size)
    scores, boxes = _pair(outputs, len(anchors))
    # probabilities are non-negative and sum to at most 1 (1 % of slack for int8); anything else are logits
    score = scores[:, 1] if (scores >= 0).all() and (scores.sum(axis=1) < 1.01).all() else _softmax_face(scores)
    options = NmsOptions.from_card(card.decode.options)
    kept = np.flatnonzero(score >= options.score_threshold)
    xyxy = boxes[kept]
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        xyxy = _from_offsets(xyxy, anchors[kept])
    height, width = card.preprocess.size
    pixels = xyxy * np.array([width, height, width, height], np.float32)
    return suppress(pixels, score[kept], np.zeros(len(kept), np.int64), options)


def _pair(outputs: Tensors, count: int) -> tuple[Float32, Float32]:
    output: dict[tuple[int, ...], Array] = {array.shape: array for array in outputs.values()}
    if len(outputs) != 2 or (1, count, 2) not in output or (1, count, 4) not in output:
        raise unexpected_outputs("ultraface", f"scores (1, {count}, 2) and boxes (1, {count}, 4)", outputs)
    return first_image(output[1, count, 2]), first_image(output[1, count, 4])


def _softmax_face(logits: Float32) -> Float32:
    score: Float32 = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    return score


def _from_offsets(offsets: Float32, anchors: Float32) -> Float32:
    centre = anchors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * anchors[:, 2:]
    half = anchors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


@lru_cache(maxsize=4)
def priors(size: tuple[int, int]) -> Float32:
    """Prior boxes of an input of ``size`` (height, width): centre and size (N, 4) in 0..1, by stride, row, column and box."""
    height, width = size
    parts = []
    for stride, boxes in MIN_BOXES.items():
        centres = np.repeat((grid(size, stride) + 0.5) * stride / np.array([width, height]), len(boxes), axis=0)
        sizes = np.tile(np.array([(box / width, box / height) for box in boxes]), (len(centres) // len(boxes), 1))
        parts.append(np.concatenate([centres, sizes], axis=1))
    anchors: Float32 = np.clip(np.concatenate(parts), 0, 1).astype(np.float32)
    return anchors
