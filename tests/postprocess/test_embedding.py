"""Vectors of embedding models."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess.embedding import embedding

CARD = ModelCard(name="e", task="classify", labels=("a",), preprocess=Preprocess((8, 8)), decode=Decode("embedding"))


@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 1, 1), (2,)])
def test_a_vector_gets_the_length_one(shape: tuple[int, ...]) -> None:
    found = embedding({"vector": np.array([3, 4], np.float16).reshape(shape)}, CARD)
    assert found.vector.dtype == np.float32
    assert found.vector == pytest.approx([0.6, 0.8], abs=1e-6)


def test_a_large_vector_does_not_overflow_and_zeros_stay_zeros() -> None:
    assert embedding({"vector": np.full((1, 2), 3e38, np.float32)}, CARD).vector == pytest.approx([0.5**0.5] * 2)
    assert not embedding({"vector": np.zeros((1, 2), np.float32)}, CARD).vector.any()


@pytest.mark.parametrize(
    "outputs", [{"a": np.zeros((1, 8, 4, 4))}, {"a": np.zeros((1, 4)), "b": np.zeros((1, 4))}, {"a": np.zeros((1, 1))}]
)
def test_a_feature_map_and_several_outputs_are_refused(outputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(ArtifactError, match="the decoder embedding needs one"):
        embedding(outputs, CARD)
