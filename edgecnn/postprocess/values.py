"""Decodes the outputs of regression models: continuous values."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import unexpected_outputs
from edgecnn.types import Tensors, Values


def values(outputs: Tensors, card: ModelCard) -> Values:
    """One output of K numbers, one per label: value = output * ``scale`` + ``offset``, options with one number per label.

    The defaults are 1 and 0. Raises ``ArtifactError`` where no output or several outputs have K numbers.
    """
    fitting = [array for array in outputs.values() if array.size == len(card.labels)]
    if len(fitting) != 1:
        expected = f"one row of {len(card.labels)} values, one for each name"
        several = (
            "export it with one output" if len(fitting) > 1 else "correct --labels, or export it with one output for all values"
        )
        raise unexpected_outputs("values", expected, outputs, several)
    scale, offset = (np.asarray(card.decode.options.get(key, usual), np.float64) for key, usual in (("scale", 1), ("offset", 0)))
    return Values((fitting[0].reshape(-1).astype(np.float64) * scale + offset).astype(np.float32))
