"""The calibration error of a detector: how far the scores of its boxes are from the share that is right."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecnn.metrics.classification import ECE_BINS
from edgecnn.metrics.estimate import Estimate, percentile_interval
from edgecnn.trust.judgement import Judgement
from edgecnn.types import Array

RESAMPLES: Final = 1000


class BoxCalibration:
    """Adds up boxes by bin of the score, image by image (Küppers et al. 2020, arXiv:2004.13546, by confidence alone).

    A box is right if it has the class of an object that it overlaps by at least half.
    """

    def __init__(self) -> None:
        self._gaps: list[Array] = []
        self.boxes = 0

    def add(self, judgement: Judgement) -> None:
        """The next image, judged from a score threshold on."""
        score = np.concatenate([judgement.score[judgement.right], judgement.extra.score]).astype(np.float64)
        right = np.arange(len(score)) < int(judgement.right.sum())
        which = np.clip(np.ceil(score * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
        gap = np.bincount(which, weights=right - score, minlength=ECE_BINS)
        self._gaps.append(np.append(gap, len(score)))
        self.boxes += len(score)

    def estimate(self, seed: int) -> Estimate:
        """ECE with 15 bins, with its 95 % interval over images drawn again (seed ``seed``); NaN without a box."""
        table = np.array(self._gaps)
        if not self.boxes:
            return Estimate(float("nan"))
        value = _error(table.sum(0)[None])[0]
        if len(table) < 2:
            return Estimate(float(value))
        draw = np.random.default_rng(seed)
        drawn = draw.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES) @ table
        return Estimate(float(value), percentile_interval(_error(drawn))).held()


def _error(sums: Array) -> Array:
    """The error (R,) of sums (R, bins + 1): gap by bin, then the number of boxes."""
    found: Array = np.abs(sums[:, :-1]).sum(1) / np.where(sums[:, -1] > 0, sums[:, -1], np.nan)
    return found
