"""Quantiles of t against SciPy."""

from __future__ import annotations

import pytest

from edgecnn.metrics.student import t_quantile


@pytest.mark.parametrize("share", [0.95, 0.975, 0.995, 0.9983])
@pytest.mark.parametrize("degrees", [2, 3, 4.5, 9, 19, 120.7, 1e6])
def test_t_quantile_is_scipys(share: float, degrees: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert t_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=1e-3)
