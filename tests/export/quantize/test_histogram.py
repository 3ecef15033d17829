"""Ranges by the distribution of a tensor's values."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.export.quantize.histogram import METHODS, Histogram
from edgecnn.types import Array


def filled(*parts: Array) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part.astype(np.float32))
    return histogram


def rounding_error(values: Array, low: float, high: float) -> float:
    step = (high - low) / 255
    rounded = np.clip(np.round((values - low) / step), 0, 255) * step + low
    return float(np.square(rounded - values).mean())


def test_min_max_is_exact_over_several_tensors() -> None:
    assert filled(np.array([0.5, -1.25]), np.array([[3.0]]), np.array([0.0])).range("min-max") == (-1.25, 3.0)


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_a_single_outlier_is_left_outside(method: str) -> None:
    values = np.random.default_rng(0).normal(0, 1, 50_000)
    low, high = filled(values, np.array([200.0])).range(method)
    assert -6 < low < -2
    assert 2 < high < 150


def test_many_zeros_do_not_narrow_the_range() -> None:
    rng = np.random.default_rng(2)
    values = np.maximum(rng.normal(0, 1, 50_000), 0).clip(0, 2)
    assert filled(values).range("entropy")[1] > 1.9


def test_the_mean_squared_error_is_least_with_mse() -> None:
    values = np.random.default_rng(1).laplace(0, 1, 50_000)
    histogram = filled(values)
    errors = {method: rounding_error(values, *histogram.range(method)) for method in METHODS}
    assert min(errors, key=lambda method: errors[method]) == "mse"
    assert errors["mse"] < 0.95 * errors["min-max"]


def test_growing_values_keep_their_counts() -> None:
    parts = [np.full(100, value) for value in (0.1, 1.0, 10.0, -100.0)]
    histogram = filled(*parts)
    assert histogram.counts.sum() == 400
    assert histogram.reach >= 100
    near = np.abs(histogram.centres - 10) < 1
    assert histogram.counts[near].sum() == 100


def test_infinite_padding_is_no_value() -> None:
    assert filled(np.array([1.0, -np.inf, np.nan, 2.0])).range("min-max") == (1.0, 2.0)


def test_nothing_counted_is_an_empty_range() -> None:
    assert Histogram().range("mse") == (0.0, 0.0)
