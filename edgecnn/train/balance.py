"""Training on classes of very different size: weights of the loss, or images of rare classes drawn more often."""

from __future__ import annotations

import numpy as np

from edgecnn.types import Array, Int64

BETA = 0.999  # between equal weights (0) and the inverse of the count (1); one of the values of Cui et al. 2019


def class_weights(labels: Int64, classes: int) -> Array:
    """A weight (classes,) float32 for each class by its effective number of samples, (1 - b^n) / (1 - b); 1 on average over the images.

    Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, arXiv:1901.05555. Classes without images get 0.
    """
    counts = np.bincount(labels, minlength=classes)
    effective = (1 - BETA**counts) / (1 - BETA)
    weights = np.divide(1.0, effective, out=np.zeros(classes), where=counts > 0)
    return np.asarray(weights * len(labels) / (weights * counts).sum(), np.float32)


def balanced_order(labels: Int64, draw: np.random.Generator) -> Int64:
    """As many images as there are, (n,) indices, drawn so that each class is as frequent as any other; large classes lose images for it."""
    own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = -(-len(labels) // len(own))
    # whole permutations, then a part of one: within a class no image is drawn once more before all others
    parts = [np.concatenate([draw.permutation(indices) for _ in range(-(-each // len(indices)))])[:each] for indices in own]
    return np.asarray(draw.permutation(np.concatenate(parts))[: len(labels)], np.int64)
