"""Restores an image of any size with a model of a fixed one: overlapping tiles of the input's size, put together without seams."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from edgecnn.types import Image, Picture, Prediction

OVERLAP = 8  # pixels of the input that a tile has beyond what is kept of it: a small network sees no further


def tile_starts(length: int, tile: int) -> list[int]:
    """Where tiles of ``tile`` pixels begin that cover ``length`` pixels and overlap by at least twice ``OVERLAP``."""
    if length <= tile:
        return [0]
    overlap = _overlap(tile)
    count = math.ceil((length - 2 * overlap) / (tile - 2 * overlap))
    return [round(part * (length - tile) / (count - 1)) for part in range(count)]


def in_tiles(image: Image, size: tuple[int, int], predict: Callable[[Image], Prediction]) -> Prediction:
    """The picture that ``predict`` makes of the tiles of ``size`` (height, width) of ``image`` (H, W, 3).

    A smaller image is continued with its border pixels, which are cut off again.
    """
    height, width = image.shape[:2]
    missing = max(size[0] - height, 0), max(size[1] - width, 0)
    if any(missing):
        image = cv2.copyMakeBorder(image, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    whole: Image | None = None
    factor = 1
    for top in tile_starts(image.shape[0], size[0]):
        for left in tile_starts(image.shape[1], size[1]):
            part = predict(image[top : top + size[0], left : left + size[1]])
            if not isinstance(part, Picture):
                return part
            factor = part.image.shape[0] // size[0]
            if whole is None:
                whole = np.empty((image.shape[0] * factor, image.shape[1] * factor, 3), np.uint8)
            # what lies above and to the left is there already, from a tile that sees it with all its surroundings
            y, x = (_overlap(side) if start else 0 for start, side in zip((top, left), size, strict=True))
            whole[(top + y) * factor : (top + size[0]) * factor, (left + x) * factor : (left + size[1]) * factor] = part.image[
                y * factor :, x * factor :
            ]
    assert whole is not None, "there is at least one tile"
    return Picture(np.ascontiguousarray(whole[: height * factor, : width * factor]))


def _overlap(tile: int) -> int:
    """Less than ``OVERLAP`` where a tile is so small that nothing would be left."""
    return min(OVERLAP, (tile - 1) // 4)
