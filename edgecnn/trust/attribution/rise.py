"""RISE: the mean of random masks weighted by the score of what they leave visible (Petsiuk et al. 2018, arXiv:1806.07421).

With the target of a detector it is D-RISE (Petsiuk et al. 2021, arXiv:2006.03204).
"""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.trust.attribution.target import Scorer
from edgecnn.types import Float32, Image

MASKS, CELLS, KEEP = 400, 8, 0.5
CHUNK = 32  # masked images that are in memory at once


def rise(score: Scorer, image: Image, *, seed: int, masks: int = MASKS, cells: int = CELLS, keep: float = KEEP) -> Float32:
    """The map (h, w) float32: mean over ``masks`` of (score - mean score) * mask / ``keep``; negative where hiding raises the score.

    A mask is a grid of ``cells`` x ``cells`` that are visible with probability ``keep``, scaled up smoothly and shifted at random.
    Hidden pixels of ``image`` (h, w, 3) uint8 BGR get its mean colour. The paper does not subtract the mean score: that only adds a
    constant in the limit, but makes the map of few masks much less noisy.
    """
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    color = image.reshape(-1, 3).mean(0).astype(np.float32)
    weighted, visible, total = np.zeros((height, width)), np.zeros((height, width)), 0.0
    for start in range(0, masks, CHUNK):
        part = np.stack([_mask(random, height, width, cells, keep) for _ in range(min(CHUNK, masks - start))])
        shown = color + part[..., None] * (image.astype(np.float32) - color)
        found = score(np.rint(shown).astype(np.uint8))
        weighted += np.tensordot(found, part, axes=1)
        visible += part.sum(0)
        total += float(found.sum())
    return np.asarray((weighted - total / masks * visible) / (masks * keep), np.float32)


def _mask(random: np.random.Generator, height: int, width: int, cells: int, keep: float) -> Float32:
    grid = (random.random((cells, cells)) < keep).astype(np.float32)
    cell_h, cell_w = -(-height // cells), -(-width // cells)
    # one cell larger than the image, so that the random shift moves the grid by up to a cell
    large = cv2.resize(grid, ((cells + 1) * cell_w, (cells + 1) * cell_h), interpolation=cv2.INTER_LINEAR)
    y, x = int(random.integers(0, cell_h)), int(random.integers(0, cell_w))
    return np.asarray(large[y : y + height, x : x + width], np.float32)
