"""Drift in sequences of windows that are drawn: what is found, how soon, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edgecnn.reference_profile.measure_range import MeasureRange
from edgecnn.reference_profile.profile import ReferenceProfile
from edgecnn.trust.drift.findings import VIEW, DriftFinding
from edgecnn.trust.drift.monitor import DriftMonitor, allowed_position
from edgecnn.trust.drift.own_past import LAG_WINDOWS, LEAST_WINDOWS, OwnPast, Usual, neighbour_correlation
from edgecnn.trust.drift.windows import WINDOW_S, Window
from edgecnn.types import Array, Float32

NAMES = ("brightness", "contrast", "sharpness", "saturation", "boxes", "score")
SHAPE = np.float32(np.sin(np.arange(192) / 7))


def profile(independent: float = 400) -> ReferenceProfile:
    """Each measure is drawn from a normal distribution of deviation 30 about 100."""
    values = np.random.default_rng(5).normal(100, 30, 400).tolist()
    return ReferenceProfile(
        {name: MeasureRange.of(name, values) for name in NAMES},
        "training",
        "set",
        400,
        independent,
        "",
        np.ones((2, 24), np.float32),
    )


def thumbnail(random: np.random.Generator, shape: Float32 = SHAPE) -> Float32:
    noisy = (shape + random.normal(0, 0.2, 192)).astype(np.float32)
    noisy -= noisy.mean()
    return np.asarray(noisy / np.linalg.norm(noisy), np.float32)


def windows(values: Array, random: np.random.Generator, first: int = 0, shape: Float32 = SHAPE) -> Iterator[Window]:
    """Windows of values (N, measures)."""
    ranges = profile().ranges
    for index, row in enumerate(values, first):
        found = dict(zip(NAMES, row.tolist(), strict=True))
        positions = {name: ranges[name].position(value) for name, value in found.items()}
        yield Window(index * WINDOW_S, (index + 1) * WINDOW_S, found, positions, thumbnail(random, shape))


def slow(count: int, random: np.random.Generator, *, mean: float = 100, deviation: float = 10, memory: float = 0.8) -> Array:
    """An autoregressive sequence (count, measures) of that mean and deviation."""
    steps, found = random.normal(0, deviation * np.sqrt(1 - memory**2), (count, len(NAMES))), np.zeros(len(NAMES))
    rows = []
    for step in steps:
        found = memory * found + step
        rows.append(found + mean)
    return np.array(rows)


def findings(monitor: DriftMonitor, sequence: Iterator[Window]) -> list[tuple[float, DriftFinding]]:
    return [(window.ended, one) for window in sequence for one in monitor.add(window).new]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_an_unchanged_stream_of_an_hour_is_normal(seed: int, memory: float) -> None:
    random = np.random.default_rng(seed)
    assert not findings(DriftMonitor(profile()), windows(slow(720, random, deviation=20, memory=memory), random))


@pytest.mark.parametrize("offset", [-60, 60])
def test_a_camera_at_the_edge_of_the_reference_is_normal(offset: float) -> None:
    """All its frames together are one draw: two deviations off for an hour is nothing unusual, whatever a test of its mean says."""
    random = np.random.default_rng(1)
    assert not findings(DriftMonitor(profile()), windows(slow(720, random, mean=100 + offset, deviation=3), random))


def test_what_leaves_the_reference_is_found_within_a_minute_from_the_start() -> None:
    random = np.random.default_rng(2)
    rows = slow(12, random)
    rows[:, 0] = -80
    found = findings(DriftMonitor(profile()), windows(rows, random))
    (at, first), *_ = found
    assert at <= 60
    assert (first.measure, first.against, first.since) == ("brightness", "reference", 0.0)
    assert first.deviations < -3
    assert "in training" in first.text(at)
    assert f"for {at:.0f} s" in first.text(at)


def test_a_change_to_the_edge_of_the_reference_is_found_against_the_own_past() -> None:
    random = np.random.default_rng(3)
    monitor = DriftMonitor(profile())
    assert not findings(monitor, windows(slow(120, random, deviation=5), random))
    rows = slow(12, random, deviation=5)
    rows[:, 4] = 32  # 2.3 deviations: a usual image, but not for this camera
    (at, first), *_ = findings(monitor, windows(rows, random, first=120))
    assert at <= 600 + 60
    assert (first.measure, first.against) == ("boxes", "past")
    assert abs(first.since - 600) <= 2 * WINDOW_S
    assert first.low > 60
    assert first.value < 40
    assert "on this camera before" in first.text(at)


def test_a_large_change_is_found_at_once_where_windows_vary_slowly() -> None:
    """The sum has a high limit there, and grows by three deviations in a window at most."""
    random = np.random.default_rng(13)
    monitor = DriftMonitor(profile())
    assert not findings(monitor, windows(slow(350, random, mean=80, deviation=8, memory=0.85), random))
    rows = slow(12, random, mean=80, deviation=8, memory=0.85)
    rows[:, 1] += 110
    (at, first), *_ = findings(monitor, windows(rows, random, first=350))
    assert (first.measure, first.against) == ("contrast", "past")
    assert at - 350 * WINDOW_S <= 30


def test_a_stream_that_varies_like_the_reference_is_known_by_its_mean() -> None:
    """Half an hour of places that differ as the images of the reference do, then the same without those that are dark."""
    random = np.random.default_rng(14)
    for deviation, found in ((28, True), (5, False)):
        monitor = DriftMonitor(profile())
        assert not findings(monitor, windows(slow(360, random, deviation=deviation, memory=0.2), random))
        rows = slow(24, random, deviation=deviation, memory=0.2)
        rows[:, 0] += 50
        told = findings(monitor, windows(rows, random, first=360))
        assert [one.measure for _, one in told][:1] == (["brightness"] if found else [])


def test_a_change_within_the_reference_is_no_drift() -> None:
    """Evening comes, and the reference has evenings."""
    random = np.random.default_rng(4)
    monitor = DriftMonitor(profile())
    rows = slow(400, random, deviation=4)
    rows[120:, 0] -= 40
    assert not findings(monitor, windows(rows, random))


def test_one_odd_window_is_no_drift() -> None:
    random = np.random.default_rng(5)
    rows = slow(200, random)
    rows[100:102] = -1e6
    assert not findings(DriftMonitor(profile()), windows(rows, random))


def test_a_moved_camera_is_found_and_a_stream_of_cuts_has_no_view() -> None:
    random = np.random.default_rng(6)
    monitor = DriftMonitor(profile())
    other = np.float32(np.cos(np.arange(192) / 3))
    assert not findings(monitor, windows(slow(120, random, deviation=5), random))
    found = findings(monitor, windows(slow(12, random, deviation=5), random, first=120, shape=other))
    assert [one.measure for _, one in found] == [VIEW]
    assert "another view" in found[0][1].text(found[0][0])
    cuts = DriftMonitor(profile())
    for index in range(240):
        shape = np.float32(random.normal(0, 1, 192))
        assert not findings(cuts, windows(slow(1, random, deviation=5), random, first=index, shape=shape))


def test_a_drift_ends_after_half_a_minute_inside_and_begins_again() -> None:
    random = np.random.default_rng(7)
    monitor = DriftMonitor(profile())
    rows = slow(60, random)
    rows[10:30, 2] = rows[45:, 2] = 300
    states = [(verdict := monitor.add(window), len(monitor.findings)) for window in windows(rows, random)]
    began = [index for index, (verdict, _) in enumerate(states) if verdict.new]
    over = [index for index, (verdict, _) in enumerate(states) if verdict.over]
    assert len(began) == 2
    assert 10 < began[0] < 20
    assert began[1] > 45
    assert over == [35]
    assert verdict.over is False
    assert monitor.findings[0].measure == "sharpness"


def test_a_measure_that_is_missing_counts_as_normal_after_a_minute() -> None:
    random = np.random.default_rng(8)
    monitor = DriftMonitor(profile())
    rows = slow(60, random)
    rows[:, 5] = -200
    sequence = list(windows(rows, random))
    for window in sequence[:12]:
        monitor.add(window)
    assert [one.measure for one in monitor.findings] == ["score"]
    for window in sequence[12:26]:
        positions = {name: value for name, value in window.positions.items() if name != "score"}
        monitor.add(Window(window.began, window.ended, window.values, positions, window.thumbnail))
    assert not monitor.findings


def test_a_small_reference_allows_more() -> None:
    assert 3 < allowed_position(11, 1e9) < allowed_position(11, 400) < allowed_position(11, 60)
    assert allowed_position(1, 400) < allowed_position(11, 400)


def usual(memory: float, count: int) -> list[Usual | None]:
    past, random = OwnPast(), np.random.default_rng(9)
    for row in slow(count + LAG_WINDOWS, random, mean=0, deviation=1, memory=memory):
        past.add(dict(zip(NAMES, row.tolist(), strict=True)))
    return [past.usual(name) for name in NAMES]


def test_windows_that_vary_slowly_need_larger_sums_and_more_time() -> None:
    quick, slower = usual(0.0, 2 * LEAST_WINDOWS), usual(0.4, 2 * LEAST_WINDOWS)
    assert np.mean([one.limit for one in slower if one]) > np.mean([one.limit for one in quick if one]) + 1
    assert not any(usual(0.0, LEAST_WINDOWS - 1))
    assert not all(usual(0.9, LEAST_WINDOWS))


def test_the_correlation_of_neighbours() -> None:
    random = np.random.default_rng(10)
    assert neighbour_correlation(random.normal(size=4000)) < 0.1
    assert neighbour_correlation(slow(4000, random, memory=0.8)[:, 0]) == pytest.approx(0.8, abs=0.05)
    assert neighbour_correlation(np.ones(50)) == 0
