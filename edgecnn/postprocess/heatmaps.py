"""Decodes heat maps of key points of one object: SimpleBaseline, arXiv:1804.06208, HRNet, arXiv:1902.09212, and what follows them."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.key_points import as_poses
from edgecnn.postprocess.tensors import single, unexpected_outputs
from edgecnn.types import Poses, Tensors

QUARTER = 0.25  # of a cell: from the highest towards the second highest, arXiv:1603.06937, section 3.2


def heatmaps(outputs: Tensors, card: ModelCard) -> Poses:
    """One output (1, K, h, w) or (1, h, w, K), a map for each of the K labels: one object, whose points are the maxima.

    The score of the object is the mean of the maxima; below option ``score_threshold`` (0) there is none. The network sees one object,
    which fills the image. Raises ``ArtifactError`` for an output of another shape.
    """
    array = single(outputs, "heatmaps")
    keys = len(card.labels)
    if array.ndim != 4 or array.shape[0] != 1 or keys not in (array.shape[1], array.shape[3]):
        raise unexpected_outputs("heatmaps", f"one output with a map for each of the {keys} key points", outputs)
    maps = array[0] if array.shape[1] == keys else np.moveaxis(array[0], -1, 0)
    maps = np.ascontiguousarray(maps, np.float32)
    rows, columns = maps.shape[1:]
    row, column = np.divmod(maps.reshape(keys, -1).argmax(1), columns)
    score = maps[np.arange(keys), row, column]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    each = np.arange(keys)
    across = np.sign(padded[each, row + 1, column + 2] - padded[each, row + 1, column])
    down = np.sign(padded[each, row + 2, column + 1] - padded[each, row, column + 1])
    height, width = card.preprocess.size
    # cell i of the map is the pixel i * stride of the image: joint / stride in the training of SimpleBaseline
    x = (column + QUARTER * across) * (width / columns) + 0.5
    y = (row + QUARTER * down) * (height / rows) + 0.5
    points = np.stack([x, y, score], 1)[None].astype(np.float32)
    found = as_poses(points, score.mean(keepdims=True), card)
    return found[found.score >= card.decode.options.get("score_threshold", 0.0)]
