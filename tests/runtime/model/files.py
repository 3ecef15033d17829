"""Model files for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecnn.card import Decode, ModelCard, Preprocess
from tests.contracts.tiny import Graph, write


def classifier(folder: Path) -> Path:
    """An ONNX file with a card that finds class 1 of 3 in any image."""
    card = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    graph = Graph({"logits": np.array([[1, 3, 2]], np.float32)}, metadata={"edgecnn.card": card.to_json()})
    return write(folder, "onnx", graph)
