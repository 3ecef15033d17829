"""Decodes the outputs of classifiers of signal windows."""

from __future__ import annotations

from edgecnn.card import ModelCard
from edgecnn.postprocess.classes import softmax
from edgecnn.types import Tensors, WindowClasses


def window_classes(outputs: Tensors, card: ModelCard) -> WindowClasses:
    """Softmax of the logits (1, C), as for images."""
    return WindowClasses(softmax(outputs, card).score)
