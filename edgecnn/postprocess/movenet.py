"""Decodes MoveNet: https://www.tensorflow.org/hub/tutorials/movenet, single pose and multipose."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.key_points import as_poses
from edgecnn.postprocess.tensors import single, unexpected_outputs
from edgecnn.types import Poses, Tensors

SCORE = 0.2


def movenet(outputs: Tensors, card: ModelCard) -> Poses:
    """One output (1, 1, K, 3), y, x and score of the K key points of one object, or (1, n, 3 K + 5) of n objects, with ymin, xmin,
    ymax, xmax and score behind the points; places are shares of the input's height and width.

    The score of a single object is the mean of its points. Objects below option ``score_threshold`` (0.2) are left out.
    Raises ``ArtifactError`` for an output of another shape.
    """
    array = single(outputs, "movenet").astype(np.float32)
    keys = len(card.labels)
    height, width = card.preprocess.size
    if array.shape == (1, 1, keys, 3):
        rows, score, boxes = array.reshape(1, keys, 3), array[..., 2].mean(axis=(1, 2)), None
    elif array.ndim == 3 and array.shape[0] == 1 and array.shape[2] == 3 * keys + 5:
        rows, score = array[0, :, : 3 * keys].reshape(-1, keys, 3), array[0, :, -1]
        top, left, bottom, right = array[0, :, 3 * keys : -1].T
        boxes = np.stack([left * width, top * height, right * width, bottom * height], 1)
    else:
        raise unexpected_outputs("movenet", f"(1, 1, {keys}, 3) or (1, objects, {3 * keys + 5}) for {keys} key points", outputs)
    points = np.stack([rows[..., 1] * width, rows[..., 0] * height, rows[..., 2]], 2)
    found = as_poses(points, score, card, boxes)
    return found[found.score >= card.decode.options.get("score_threshold", SCORE)]
