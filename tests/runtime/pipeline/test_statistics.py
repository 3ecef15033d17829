"""Duration histograms in fixed memory agree with the samples; the statistics are plain JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.statistics import STAGES, DurationHistogram, Stats
from edgecnn.types import nearest_rank

samples = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200)


def filled(values: list[float]) -> DurationHistogram:
    clock = DurationHistogram()
    for value in values:
        clock.add(value)
    return clock


@given(values=samples, percent=st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_nearest_rank_within_half_a_percent(values: list[float], percent: int) -> None:
    assert filled(values).percentile(percent) == pytest.approx(nearest_rank(values, percent), rel=0.0051)


@given(values=samples)
def test_mean_maximum_and_count_are_exact(values: list[float]) -> None:
    summary = filled(values).summary()
    assert (summary.count, summary.max) == (len(values), max(values))
    assert summary.mean == pytest.approx(sum(values) / len(values))


@pytest.mark.parametrize("ms", [pytest.param(0.0, id="zero"), pytest.param(-1.0, id="negative"), pytest.param(1e30, id="huge")])
def test_odd_durations_are_counted_too(ms: float) -> None:
    clock = filled([ms])
    assert clock.summary().count == 1
    assert math.isfinite(clock.percentile(50))


def test_a_stretch_of_time_holds_only_what_came_in_it() -> None:
    clock = filled([1.0] * 100)
    before = clock.copy()
    for _ in range(10):
        clock.add(50.0)
    assert clock.since(before).percentile(1) == pytest.approx(50, rel=0.006)
    assert clock.since(clock.copy()).summary().count == 0


def test_memory_does_not_grow_with_the_run() -> None:
    assert filled([1.0])._bins.nbytes == filled([float(n) for n in range(1, 5000)])._bins.nbytes


def test_statistics_are_json_with_null_for_what_was_not_measured() -> None:
    stats = Stats(
        "all", 1, 0.0, 0.0, {stage: DurationHistogram().summary() for stage in STAGES}, filled([2.0]).summary(), FrameCounts(3, 1)
    )
    record = json.loads(json.dumps(stats.to_json(), allow_nan=False))
    assert record["version"] == 3
    assert record["stage_ms"]["infer"]["p50"] is None
    assert record["age_ms"]["max"] == 2.0
    assert record["ledger"] == {
        "captured": 3,
        "processed": 1,
        "dropped": 0,
        "failed": 0,
        "unfinished": 0,
        "skipped": 0,
        "in_flight": 2,
    }
