"""Classification: one row of class scores."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import misfit
from edgecnn.types import Classes, Float32, Tensors


def softmax(outputs: Tensors, card: ModelCard) -> Classes:
    """Logits (1, C), in any shape of one row, to probabilities."""
    logits = _row(outputs, card)
    powers = np.exp(logits - logits.max())
    return Classes(powers / powers.sum())


def probabilities(outputs: Tensors, card: ModelCard) -> Classes:
    """Probabilities (1, C), in any shape of one row, as they are."""
    return Classes(_row(outputs, card))


def _row(outputs: Tensors, card: ModelCard) -> Float32:
    """The output that holds a score for each label: the only one, or the only one of that size."""
    fitting = [array for array in outputs.values() if len(outputs) == 1 or array.size == len(card.labels)]
    if len(fitting) != 1:
        raise misfit(card.decode.name, f"one row of {len(card.labels)} class scores", outputs)
    return fitting[0].reshape(-1).astype(np.float32)
