"""What is explained: the score of a class, or of an object that a detector found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgecnn.metrics.match import iou_matrix
from edgecnn.types import Classes, Detections, Float32, Image, Prediction

LEAST = 1e-4  # of a probability: closer to 0 and 1 the rounding of a file would count
Scorer = Callable[[Image], Float32]
"""Scores (n,) float32 of the target in images (n, h, w, 3) uint8 BGR of the size of the model's input."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A class of the model, and for a detector the ``box`` (4,) float32 xyxy of one of its detections in input pixels."""

    class_id: int
    box: Float32 | None = None

    def score(self, prediction: Prediction) -> float:
        """How strongly ``prediction`` says the same: the logit of the class, as for gradients, because a probability near 1 hardly
        falls; for a detector the best score times overlap (D-RISE, Petsiuk et al. 2021, arXiv:2006.03204).

        Raises ``TypeError`` for a prediction that is neither classes nor detections.
        """
        if isinstance(prediction, Classes):
            share = min(max(float(prediction.score[self.class_id]), LEAST), 1 - LEAST)
            return math.log(share / (1 - share))
        if not isinstance(prediction, Detections) or self.box is None:
            raise TypeError("a target is a class, or a box of a detector")
        same = prediction[prediction.class_id == self.class_id]
        if not len(same):
            return 0.0
        return float(np.max(iou_matrix(self.box[None], same.xyxy)[0] * same.score))
