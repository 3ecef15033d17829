from __future__ import annotations

import numpy as np
import pytest

from edgecnn.train.balance import BETA, balanced_order, class_weights

LABELS = np.array([0] * 90 + [1] * 8 + [3] * 2)


def test_weights_are_those_of_effective_numbers() -> None:
    weights = class_weights(LABELS, 4)
    effective = [(1 - BETA**count) / (1 - BETA) for count in (90, 8, 2)]
    assert weights[0] * effective[0] == pytest.approx(weights[1] * effective[1], rel=1e-5)
    assert weights[1] * effective[1] == pytest.approx(weights[3] * effective[2], rel=1e-5)
    assert weights[LABELS].mean() == pytest.approx(1)
    assert weights[2] == 0


def test_balanced_sampling_draws_each_class_as_often() -> None:
    order = balanced_order(LABELS, np.random.default_rng(1))
    counts = np.bincount(LABELS[order], minlength=4)
    assert len(order) == len(LABELS)
    assert counts[2] == 0
    assert abs(counts[[0, 1, 3]] - 100 / 3).max() <= 2
    times = np.bincount(order, minlength=100)[90:98]
    assert times.max() - times.min() <= 1  # images of a class take turns
    assert (balanced_order(LABELS, np.random.default_rng(1)) == order).all()
