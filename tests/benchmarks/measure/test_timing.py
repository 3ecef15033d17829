from __future__ import annotations

import dataclasses
import time

from edgecnn.benchmarks.measure.protocol import FULL, QUICK, Protocol
from edgecnn.benchmarks.measure.timing import SETTLE_RUNS, has_settled, measure_round, warm_up


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


def test_full_protocol_takes_what_its_definition_says() -> None:
    assert (FULL.runs, FULL.duration_s, FULL.warm_up_runs, FULL.warm_up_s, FULL.settled_within, FULL.input_count) == (
        662,
        10.0,
        10,
        1.0,
        0.05,
        64,
    )
    assert FULL.runs_per_round * FULL.rounds >= 662
    assert FULL.seconds_per_round * FULL.rounds >= 10.0
    assert (QUICK.runs, QUICK.duration_s) == (64, 0.0)


def test_a_round_keeps_every_sample_after_its_settling_calls() -> None:
    step = Counted()
    samples = measure_round(step, runs=30, seconds=0.0)
    assert len(samples) == 30
    assert step.calls >= 30 + SETTLE_RUNS


def test_a_round_lasts_its_seconds_when_its_runs_are_done_sooner() -> None:
    started = time.perf_counter()
    samples = measure_round(Counted(), runs=1, seconds=0.1)
    assert time.perf_counter() - started >= 0.1
    assert len(samples) > 1


def test_samples_are_milliseconds() -> None:
    assert min(measure_round(lambda: time.sleep(0.002), runs=3, seconds=0.0)) >= 2.0


def test_warm_up_waits_for_runs_and_seconds(brief: Protocol) -> None:
    step = Counted()
    slow = dataclasses.replace(brief, warm_up_s=0.05, warm_up_limit_s=10.0, settled_within=1e9)
    found = warm_up(step, slow)
    assert found.settled
    assert found.duration_s >= 0.05
    assert found.runs == step.calls >= slow.warm_up_runs


def test_warm_up_that_never_settles_ends_and_says_so(brief: Protocol) -> None:
    found = warm_up(Counted(), dataclasses.replace(brief, settled_within=-1.0, warm_up_limit_s=0.05))
    assert not found.settled
    assert found.duration_s >= 0.05


def test_settled_means_that_the_last_median_is_close_to_the_one_before(brief: Protocol) -> None:
    assert has_settled([9.0] * 5 + [10.0] * 10 + [10.4] * 10, brief)
    assert not has_settled([10.0] * 10 + [10.6] * 10, brief)
