"""Verdicts by value and interval, and the calibration error of boxes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecnn.metrics.classification import calibration_error
from edgecnn.trust.gate.box_calibration import BoxCalibration
from edgecnn.trust.gate.device_part import latency_interval
from edgecnn.trust.gate.verdict import BudgetVerdict, share_verdict
from edgecnn.trust.judgement import FalsePositives, Judgement


def verdict(value: float, low: float | None, high: float | None, *, limit: float = 80, at_least: bool = True) -> BudgetVerdict:
    return share_verdict("a", "A", limit, value / 100, low and low / 100, high and high / 100, at_least=at_least, count=100)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (verdict(90, 85, 95), "passed"),
        (verdict(90, 75, 95), "passed, not certain"),
        (verdict(90, None, None), "passed, not certain"),
        (verdict(70, 65, 75), "failed"),
        (verdict(70, 65, 85), "failed, not certain"),
        (verdict(80, 80, 90), "passed"),
        (verdict(5, 3, 7, limit=8, at_least=False), "passed"),
        (verdict(5, 3, 9, limit=8, at_least=False), "passed, not certain"),
        (verdict(9, 8.5, 12, limit=8, at_least=False), "failed"),
        (verdict(float("nan"), None, None), "failed, not certain"),
    ],
)
def test_verdicts(one: BudgetVerdict, words: str) -> None:
    assert one.words == words
    assert one.keeps(certain=False) == words.startswith("passed")
    assert one.keeps(certain=True) == (words == "passed")


def test_few_instances_are_told() -> None:
    few = share_verdict("a", "A", 50, 1.0, 0.9, 1.0, count=9)
    assert few.words == "passed, not certain"
    assert few.doubt == "too few images to tell (9)"
    wide = share_verdict("a", "A", 50, 0.8, 0.6, 0.9, count=20)
    assert wide.words == "passed"
    assert "the interval is 30 points wide" in wide.detail


def test_what_has_no_chance_is_certain() -> None:
    size = BudgetVerdict(key="size.max_mb", title="size", limit=2, at_least=False, unit="MB", value=1.5, exact=True)
    assert size.words == "passed"
    assert dataclasses.replace(size, value=2.5).words == "failed"
    assert dataclasses.replace(size, value=2.5).margin == -0.5


def judgement(right: list[float], wrong: list[float]) -> Judgement:
    count = len(right)
    extra = FalsePositives(
        np.zeros(len(wrong), np.int64),
        np.float32(wrong),
        np.zeros((len(wrong), 4), np.float32),
        np.zeros(len(wrong), np.int64),
        np.full(len(wrong), -1),
    )
    zeros = np.zeros(count, np.int64)
    return Judgement("x", zeros, zeros, np.ones(count, bool), np.float32(right), np.zeros((count, 4), np.float32), zeros, extra)


def test_the_calibration_error_of_boxes_is_that_of_their_scores() -> None:
    found = BoxCalibration()
    random = np.random.default_rng(1)
    scores, hits = [], []
    for _ in range(60):
        right, wrong = random.uniform(0.3, 1, 3).tolist(), random.uniform(0.3, 0.6, 2).tolist()
        found.add(judgement(right, wrong))
        scores += [*right, *wrong]
        hits += [True] * 3 + [False] * 2
    estimate = found.estimate(0)
    assert found.boxes == 300
    assert estimate.value == pytest.approx(calibration_error(np.float32(scores).astype(float), np.array(hits)), abs=1e-6)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high < 1
    empty = BoxCalibration()
    empty.add(judgement([], []))
    assert np.isnan(empty.estimate(0).value)


def test_the_interval_of_a_latency_comes_from_rounds() -> None:
    rounds = [[1.0] * 10, [1.2] * 10, [1.1] * 10, [5.0] * 10]
    samples = [value for one in rounds for value in one]
    low, high = latency_interval(samples, [10] * 4, "p99")
    assert (low, high) == (1.2, 5.0) or (low is not None and low < 1.3 and high == 5.0)
    assert latency_interval(samples[:30], [10] * 3, "p50") == (None, None)
    assert latency_interval([2.0] * 40, [10] * 4, "mean") == (2.0, 2.0)
