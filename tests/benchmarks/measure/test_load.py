"""Generators of load on a clock that only moves when a step or a wait says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from edgecnn.benchmarks.measure import load
from edgecnn.benchmarks.measure.load import closed_loop, multi_stream, offline, paced


class FakeTime:
    """A clock, a wait that moves it, and a step that takes the given seconds, the last for ever."""

    def __init__(self, *seconds: float) -> None:
        self.at = 100.0
        self.steps = 0
        self._seconds: Iterator[float] = chain(seconds, repeat(seconds[-1]))

    def now(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def step(self) -> None:
        self.steps += 1
        self.at += next(self._seconds)


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "settle", lambda _: None)


def test_a_closed_loop_measures_each_call_until_the_time_is_over() -> None:
    time = FakeTime(0.010, 0.020, 0.010)
    done = closed_loop(time.step, 0.045, time.now)
    assert done.samples_ms == pytest.approx([10, 20, 10, 10])
    assert (done.inferences, done.seconds) == (4, pytest.approx(0.05))


def test_a_query_is_as_long_as_all_its_frames() -> None:
    time = FakeTime(0.010)
    done = multi_stream([time.step], streams=4, queries=3, seconds=0, now=time.now)
    assert done.samples_ms == pytest.approx([40, 40, 40])
    assert (done.inferences, done.seconds) == (12, pytest.approx(0.12))


def test_queries_go_on_until_the_time_is_over() -> None:
    time = FakeTime(0.010)
    assert len(multi_stream([time.step], streams=1, queries=1, seconds=0.095, now=time.now).samples_ms) == 10


def counting(counts: list[int], index: int) -> Callable[[], None]:
    def step() -> None:
        counts[index] += 1

    return step


def test_the_frames_of_a_query_are_shared_by_the_threads() -> None:
    counts = [0, 0, 0]
    multi_stream([counting(counts, index) for index in range(3)], streams=8, queries=5, seconds=0)
    assert sum(counts) == 40


def test_a_device_that_keeps_up_has_the_latency_of_one_frame() -> None:
    time = FakeTime(0.010)
    done = paced([time.step], interval_s=0.1, frames=5, now=time.now, wait=time.wait)
    assert done.samples_ms == pytest.approx([10] * 5)
    assert done.inferences / done.seconds == pytest.approx(10)


def test_a_slow_frame_delays_those_after_it() -> None:
    time = FakeTime(0.250, 0.010)
    done = paced([time.step], interval_s=0.1, frames=5, now=time.now, wait=time.wait)
    assert done.samples_ms == pytest.approx([250, 160, 70, 10, 10])


def test_the_queue_grows_where_frames_come_faster_than_they_are_done() -> None:
    time = FakeTime(0.030)
    done = paced([time.step], interval_s=0.020, frames=4, now=time.now, wait=time.wait)
    assert done.samples_ms == pytest.approx([30, 40, 50, 60])
    assert done.inferences / done.seconds == pytest.approx(1 / 0.030)


def test_a_late_timer_is_not_the_model_s_latency() -> None:
    time = FakeTime(0.010)
    done = paced([time.step], interval_s=0.1, frames=3, now=time.now, wait=lambda seconds: time.wait(seconds + 0.005))
    assert done.samples_ms == pytest.approx([10, 10, 10])


def test_an_error_of_any_thread_is_raised() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        paced([lambda: None, broken], interval_s=0.0, frames=1000)


def test_offline_counts_the_frames_of_all_threads() -> None:
    counts = [0, 0]
    done = offline([counting(counts, index) for index in range(2)], seconds=0.0)
    assert done.inferences == sum(counts) == 2
    assert not done.samples_ms
