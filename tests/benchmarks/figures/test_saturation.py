"""The figure of saturation: how two sides are compared."""

from __future__ import annotations

import numpy as np

from edgecnn.benchmarks.figures.saturation import _agreement, _cosine


def test_labels_without_a_card_are_the_largest_values() -> None:
    exact = [np.eye(4, dtype=np.float32)]
    there = [np.eye(4, dtype=np.float32)[[0, 1, 2, 2]]]
    assert _agreement(None, ["scores"], exact, there) == 0.75


def test_the_cosine_of_the_same_outputs_is_one() -> None:
    values = np.arange(1, 9, dtype=np.float32)
    assert abs(_cosine(values, values) - 1) < 1e-12
    assert abs(_cosine(values, -values) + 1) < 1e-12
