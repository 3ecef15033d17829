"""Decodes the outputs of classifiers: one score per class."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import unexpected_outputs
from edgecnn.types import Classes, Float32, Tensors


def softmax(outputs: Tensors, card: ModelCard) -> Classes:
    """Softmax of the logits (1, C), also (1, C, 1, 1) and the like."""
    logits = _row(outputs, card)
    exponentials = np.exp(logits - logits.max())  # without the maximum, large logits overflow
    return Classes(exponentials / exponentials.sum())


def probabilities(outputs: Tensors, card: ModelCard) -> Classes:
    """Probabilities (1, C), also (1, C, 1, 1) and the like, unchanged."""
    return Classes(_row(outputs, card))


def _row(outputs: Tensors, card: ModelCard) -> Float32:
    """The output with one score per label: the only output, or the only one of that size."""
    fitting = [array for array in outputs.values() if len(outputs) == 1 or array.size == len(card.labels)]
    if len(fitting) != 1:
        raise unexpected_outputs(card.decode.name, f"one row of {len(card.labels)} class scores", outputs)
    return fitting[0].reshape(-1).astype(np.float32)
