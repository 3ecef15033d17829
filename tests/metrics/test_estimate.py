"""Intervals of many figures at once against NumPy's percentiles."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.metrics.estimate import Estimate, Interval, percentile_interval, percentile_intervals


def test_intervals_are_the_percentiles_of_what_is_a_number() -> None:
    samples = np.random.default_rng(0).normal(0, 3, (101, 4))
    samples[::3, 1], samples[1:, 2], samples[:, 3] = np.nan, np.inf, np.nan
    found = percentile_intervals(samples)
    for column in (0, 1, 2):
        known = samples[np.isfinite(samples[:, column]), column]
        assert found[column] == pytest.approx(tuple(np.percentile(known, (2.5, 97.5))))
    assert found[3] is None
    assert percentile_interval(np.zeros(0)) is None


def test_an_estimate_says_where_it_has_no_interval() -> None:
    assert Estimate(0.5, Interval(0.25, 0.75)).shown("+") == "+0.50 (+0.25 to +0.75)"
    assert Estimate(0.5).shown() == "0.50"
    assert (Estimate(0.5).width, Estimate(0.5, Interval(0.25, 0.75)).width) == (float("inf"), 0.5)
    assert Estimate(0.5).to_dict() == {"value": 0.5, "low": None, "high": None}
