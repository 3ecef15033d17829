"""Decodes the outputs of embedding models: one vector, normalised to length 1."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import single, unexpected_outputs
from edgecnn.types import Embedding, Float32, Tensors


def embedding(outputs: Tensors, card: ModelCard) -> Embedding:
    """The output (1, D), also (1, D, 1, 1) and the like, divided by its Euclidean length; zeros stay zeros.

    Raises ``ArtifactError`` for several outputs, and for one that is no single vector of at least two numbers.
    """
    array = single(outputs, "embedding")
    if array.size < 2 or array.size != max(array.shape):
        raise unexpected_outputs("embedding", "one vector, such as (1, 64)", outputs)
    return Embedding(normalised(array.reshape(-1).astype(np.float32)))


def normalised(vector: Float32) -> Float32:
    """``vector`` (D,) divided by its Euclidean length; unchanged where that is 0."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    return vector if length == 0 else (vector.astype(np.float64) / length).astype(np.float32)
