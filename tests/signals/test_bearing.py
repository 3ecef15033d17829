"""The generator of bearing vibrations."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.signals.bearing import IMPACTS, LABELS, SPEED_HZ, BearingOptions, bearing_signal, bearing_window


def test_a_window_depends_on_seed_and_number_alone() -> None:
    first, label = bearing_window(BearingOptions(seed=3), 5)
    assert np.array_equal(first, bearing_window(BearingOptions(seed=3), 5)[0])
    assert not np.array_equal(first, bearing_window(BearingOptions(seed=4), 5)[0])
    assert first.shape == (2048, 1)
    assert first.dtype == np.float32
    assert label == 1


@pytest.mark.parametrize("fault", ["outer race", "inner race", "ball"])
def test_a_fault_rings_at_its_own_frequency(fault: str) -> None:
    options = BearingOptions(noise=0.05)
    signal = bearing_signal(options, LABELS.index(fault), 4.0, 1)[:, 0].astype(np.float64)
    high = np.diff(signal, 3)  # without the turns of the shaft
    envelope = np.abs(high) - np.abs(high).mean()
    power = np.abs(np.fft.rfft(envelope)) ** 2
    hertz = np.fft.rfftfreq(len(envelope), 1 / options.rate_hz)
    per_turn = IMPACTS[fault][0]
    band = (hertz > SPEED_HZ[0] * per_turn * 0.95) & (hertz < SPEED_HZ[1] * per_turn * 1.05)
    assert power[band].max() > 20 * np.median(power[(hertz > 20) & (hertz < 400)])


def test_a_healthy_bearing_does_not_ring() -> None:
    options = BearingOptions(noise=0.05)
    healthy, faulty = (np.diff(bearing_signal(options, label, 1.0, 1)[:, 0], 2).std() for label in (0, 1))
    assert faulty > 2 * healthy
