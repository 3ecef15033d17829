"""The signed-rank interval against its definition and against SciPy's test."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgecnn.benchmarks.compare.interval import RatioInterval
from edgecnn.benchmarks.compare.signed_rank import left_out_averages, signed_rank_interval


def test_a_ratio_shows_a_difference_where_its_interval_excludes_one() -> None:
    assert RatioInterval(1.1, 1.02, 1.2).shown
    assert RatioInterval(0.9, 0.8, 0.99).shown
    assert not RatioInterval(1.1, 0.99, 1.2).shown
    assert RatioInterval.of_logs(0.0, -math.log(1.1), math.log(1.1)).reach == pytest.approx(1.1)


def test_too_few_pairs_have_no_interval() -> None:
    assert signed_rank_interval([0.1] * 7, 0.99) is None  # 2 / 2**7 is above 1 %
    assert signed_rank_interval([0.1] * 8, 0.99) is not None


def test_the_interval_excludes_zero_where_the_test_rejects() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(5)
    rejected = 0
    for _ in range(200):
        values = random.normal(0.6, 1, 14)
        found = signed_rank_interval(values.tolist(), 0.95)
        assert found is not None
        rejects = stats.wilcoxon(values, mode="exact").pvalue <= 0.05
        assert rejects == (not found[1] <= 0 <= found[2])
        rejected += rejects
    assert 20 < rejected < 180


def test_one_wild_value_does_not_move_the_estimate() -> None:
    values = [0.01, 0.012, 0.009, 0.011, 0.01, 0.008, 0.012, 0.01, 0.011, 0.009, 0.01, 0.01] * 2
    calm, wild = signed_rank_interval(values, 0.99), signed_rank_interval([*values[:-1], 5.0], 0.99)
    assert calm is not None
    assert wild is not None
    assert abs(wild[0] - calm[0]) < 0.001
    assert 0 < wild[1] < wild[2] < 0.1


def test_counts_of_averages_left_out_are_those_of_the_tables() -> None:
    # Hollander, Wolfe, Chicken, table A.4: P(W+ <= 3) at n = 10 is .005, P(W+ <= 15) at n = 15 is .004
    assert left_out_averages(10, 0.01) == 3
    assert left_out_averages(15, 0.01) == 15
