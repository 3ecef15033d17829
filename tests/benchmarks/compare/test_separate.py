"""Two separate runs: no difference where there is none, also with slow drifts, bursts and sharp peaks of noise."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.benchmarks.compare.record_file import MeasuredClock
from edgecnn.benchmarks.compare.separate import load_error, mean_error, same_run_ratio, separate_ratio

Random = np.random.Generator


def slow_noise(random: Random, count: int, correlation: float, deviation: float) -> np.ndarray:
    """Shifts of rounds that resemble their neighbours (AR(1))."""
    shifts = [random.normal(0, deviation)]
    for _ in range(count - 1):
        shifts.append(correlation * shifts[-1] + random.normal(0, deviation) * (1 - correlation**2) ** 0.5)
    return np.array(shifts)


def spiky(random: Random, shifts: np.ndarray, factor: float = 1.0) -> MeasuredClock:
    """Rounds of 34 samples with these logarithmic shifts; one sample of ten is a peak with a heavy tail."""
    rounds = []
    for shift in shifts:
        samples = factor * np.exp(shift + random.gamma(2, 0.01, 34))
        samples *= np.where(random.random(34) < 0.1, 1 + random.pareto(1.5, 34), 1)
        rounds.append(tuple(samples.tolist()))
    return MeasuredClock(tuple(rounds))


def one_run(random: Random, correlation: float, deviation: float, factor: float = 1.0) -> MeasuredClock:
    """A run of 20 rounds with a burst of other load in three of them half of the time, and a shift of the whole run."""
    shifts = slow_noise(random, 20, correlation, deviation) + random.normal(0, 0.015)
    if random.random() < 0.5:
        start = random.integers(17)
        shifts[start : start + 3] += 1
    return spiky(random, shifts, factor)


@pytest.mark.parametrize(("correlation", "deviation"), [(0, 0.01), (0.7, 0.05), (0.9, 0.02), (0.9, 0.15)])
def test_equal_files_are_rarely_called_different(correlation: float, deviation: float) -> None:
    random = np.random.default_rng(1)
    pairs = ((one_run(random, correlation, deviation), one_run(random, correlation, deviation)) for _ in range(200))
    found = [separate_ratio(*pair) for pair in pairs]
    assert sum(one is not None and one.shown for one in found) <= 4


def test_a_slowdown_of_a_fifth_is_found_on_a_quiet_machine() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        found = separate_ratio(one_run(random, 0.7, 0.01), one_run(random, 0.7, 0.01, 1.2))
        assert found is not None
        assert found.low > 1
        assert found.low < 1.2 < found.high


def test_files_of_one_run_are_compared_round_by_round() -> None:
    """What both files share does not count: a load that doubles all times of some rounds."""
    random = np.random.default_rng(3)
    for factor, shown in ((1.0, False), (1.06, True)):
        for _ in range(20):
            shifts = slow_noise(random, 20, 0.8, 0.3)
            found = same_run_ratio(spiky(random, shifts), spiky(random, shifts, factor))
            assert found is not None
            assert found.shown == shown


def test_autocorrelated_rounds_have_a_larger_error_than_independent_ones() -> None:
    random = np.random.default_rng(4)
    pairs = [(mean_error(slow_noise(random, 40, 0.9, 1))[0], mean_error(random.normal(size=40))[0]) for _ in range(50)]
    assert np.mean([a for a, _ in pairs]) > 1.3 * np.mean([b for _, b in pairs])


def test_a_run_that_is_too_short_says_nothing() -> None:
    random = np.random.default_rng(5)
    enough, few = spiky(random, np.zeros(4)), spiky(random, np.zeros(3))
    thin = MeasuredClock(tuple((1.0, 1.1) for _ in range(4)))
    assert separate_ratio(enough, enough) is not None
    for short in (few, thin):
        assert separate_ratio(enough, short) is None
        assert same_run_ratio(short, enough) is None


def test_load_of_other_programs_widens_the_interval() -> None:
    random = np.random.default_rng(6)
    rounds = spiky(random, np.zeros(20)).rounds
    calm, busy = MeasuredClock(rounds), MeasuredClock(rounds, other_load=0.4)
    assert load_error(0.0) == 0
    a, b = separate_ratio(calm, calm), separate_ratio(calm, busy)
    assert a is not None
    assert b is not None
    assert a.reach < 1.1
    assert b.reach > 1.5
