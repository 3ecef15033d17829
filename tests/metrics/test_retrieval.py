"""Recall@k and the threshold of embeddings, against values counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.metrics.retrieval import RetrievalAccumulator, retrieval_metrics
from edgecnn.types import Embedding, Float32


def on_circle(*degrees: float) -> Float32:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def test_recall_counts_queries_with_their_class_among_the_nearest() -> None:
    # 0 and 10 find each other, 50 and 90 are nearer to others than to one another
    vectors = on_circle(0, 10, 50, 90, 48, 91)
    values, found = retrieval_metrics(vectors, np.array([0, 0, 1, 1, 2, 3]))
    assert values["recall1"] == pytest.approx(2 / 4)
    assert values["recall5"] == 1.0
    assert found.tolist() == [True, True, False, False]


def test_an_image_does_not_find_itself() -> None:
    values, _ = retrieval_metrics(on_circle(0, 90, 1, 89), np.array([0, 0, 1, 1]))
    assert values["recall1"] == 0.0


def test_equal_vectors_of_another_class_count_as_nearer() -> None:
    values, _ = retrieval_metrics(on_circle(*[0] * 8), np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert values["recall1"] == 0.0


def test_the_threshold_lets_one_percent_of_other_pairs_pass() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(600, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = np.arange(600) // 2
    values, _ = retrieval_metrics(vectors, classes)
    similar = vectors @ vectors.T
    different = classes[:, None] != classes[None]
    assert (similar[different] >= values["threshold"]).mean() == pytest.approx(0.01, abs=5e-4)
    assert values["accept"] == pytest.approx(0.01, abs=0.02)  # random vectors: pairs of one class are like all others


def test_a_set_of_one_class_has_no_threshold() -> None:
    values, _ = retrieval_metrics(on_circle(0, 10), np.array([0, 0]))
    assert values["recall1"] == 1.0
    assert math.isnan(values["threshold"])


def test_classes_of_one_image_are_not_searched_for() -> None:
    accumulator = RetrievalAccumulator(("a", "b", "c"))
    for vector, label in zip(on_circle(0, 10, 20), (0, 0, 1), strict=True):
        accumulator.add(Embedding(vector), label)
    score = accumulator.score(())
    assert score.n == 3
    assert score.per_class == {"a": 0.5}  # that at 10 is as near to 0 as to 20: the other class comes first
    assert "single image" in score.notes[0]


def test_without_two_images_of_a_class_nothing_can_be_found() -> None:
    accumulator = RetrievalAccumulator(("a", "b"))
    for vector, label in zip(on_circle(0, 10), (0, 1), strict=True):
        accumulator.add(Embedding(vector), label)
    with pytest.raises(InputError, match="no class has two images"):
        accumulator.score(())
