"""Regression: one row of continuous values."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import misfit
from edgecnn.types import Tensors, Values


def values(outputs: Tensors, card: ModelCard) -> Values:
    """One output of K numbers to values: ``output * scale + offset``, options that hold a number for each of the K labels.

    Without them the numbers are the values. Raises ``ArtifactError`` for outputs of another number.
    """
    fitting = [array for array in outputs.values() if array.size == len(card.labels)]
    if len(fitting) != 1:
        raise misfit("values", f"one row of {len(card.labels)} values", outputs)
    scale, offset = (np.asarray(card.decode.options.get(key, usual), np.float64) for key, usual in (("scale", 1), ("offset", 0)))
    return Values((fitting[0].reshape(-1).astype(np.float64) * scale + offset).astype(np.float32))
