from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.benchmarks.measure.statistics import coefficient_of_variation, drift, early_stopping_bound, round_spread, speedup
from edgecnn.types import nearest_rank


@pytest.mark.parametrize(
    ("percent", "least"), [pytest.param(90, 64, id="p90"), pytest.param(95, 130, id="p95"), pytest.param(99, 662, id="p99")]
)
def test_the_least_number_of_samples_is_that_of_mlperf(percent: int, least: int) -> None:
    assert early_stopping_bound(range(least - 1), percent) is None
    assert early_stopping_bound(range(least), percent) == least - 1


@pytest.mark.parametrize(("n", "from_top"), [pytest.param(1000, 78, id="1000"), pytest.param(24576, 2348, id="24576")])
def test_ranks_are_those_of_loadgen(n: int, from_top: int) -> None:
    assert early_stopping_bound(range(n), 90) == n - from_top


def test_the_rank_agrees_with_the_binomial_distribution_of_scipy() -> None:
    binom = pytest.importorskip("scipy.stats").binom
    for n in (64, 100, 662, 3000):
        over = n - int(early_stopping_bound(range(n), 90) or 0)
        assert binom.cdf(over, n, 0.1) <= 0.01 < binom.cdf(over + 1, n, 0.1)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1e3), min_size=64, max_size=200))
def test_the_bound_is_an_observed_value_not_below_the_percentile(samples: list[float]) -> None:
    bound = early_stopping_bound(samples, 90)
    assert bound in samples
    assert bound >= nearest_rank(samples, 90)


def test_one_slow_sample_counts_in_the_variation() -> None:
    assert coefficient_of_variation([1.0] * 99) == 0
    assert coefficient_of_variation([1.0] * 99 + [11.0]) == pytest.approx(1 / 1.1)


def test_drift_compares_the_last_quarter_with_the_first() -> None:
    assert drift([10.0] * 8 + [50.0] * 16 + [12.0] * 8) == pytest.approx(0.2)
    assert drift([1.0, 2.0, 3.0]) == 0


def test_one_odd_round_of_many_does_not_make_a_spread() -> None:
    assert round_spread([[10.0]] * 9 + [[30.0]]) == 0
    assert round_spread([[10.0], [11.0]]) == pytest.approx(0.1)


def test_faster_is_the_ratio_of_medians_with_the_spread_of_the_rounds() -> None:
    reference = [[8.0, 8.0, 9.0], [16.0, 16.0, 16.0]]
    assert speedup(reference, reference) == (1.0, 1.0, 1.0)
    whole, low, high = speedup(reference, [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]])
    assert (whole, low, high) == (4.5, 4.0, 8.0)
