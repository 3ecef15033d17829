"""Decodes the outputs of classifiers: one score per class, or one per label where any number of labels applies."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import unexpected_outputs
from edgecnn.thresholds import LABEL_SCORE
from edgecnn.types import Classes, Float32, LabelScores, Tensors


def softmax(outputs: Tensors, card: ModelCard) -> Classes:
    """Softmax of the logits (1, C), also (1, C, 1, 1) and the like."""
    logits = _row(outputs, card)
    exponentials = np.exp(logits - logits.max())  # without the maximum, large logits overflow
    return Classes(exponentials / exponentials.sum())


def probabilities(outputs: Tensors, card: ModelCard) -> Classes:
    """Probabilities (1, C), also (1, C, 1, 1) and the like, unchanged."""
    return Classes(_row(outputs, card))


def sigmoid(outputs: Tensors, card: ModelCard) -> LabelScores:
    """Sigmoid of the logits (1, C), also (1, C, 1, 1) and the like, one label each; option ``label_threshold``."""
    # tanh does not overflow, as exp does for large negative logits
    return LabelScores((0.5 + 0.5 * np.tanh(_row(outputs, card) / 2)).astype(np.float32), _threshold(card))


def label_scores(outputs: Tensors, card: ModelCard) -> LabelScores:
    """Scores in 0..1 (1, C), also (1, C, 1, 1) and the like, unchanged, one label each; option ``label_threshold``."""
    return LabelScores(_row(outputs, card), _threshold(card))


def _threshold(card: ModelCard) -> float:
    return float(card.decode.options.get("label_threshold", LABEL_SCORE))


def _row(outputs: Tensors, card: ModelCard) -> Float32:
    """The output with one score per label: the only output, or the only one of that size."""
    fitting = [array for array in outputs.values() if len(outputs) == 1 or array.size == len(card.labels)]
    if len(fitting) != 1:
        raise unexpected_outputs(card.decode.name, f"one row of {len(card.labels)} class scores", outputs)
    return fitting[0].reshape(-1).astype(np.float32)
