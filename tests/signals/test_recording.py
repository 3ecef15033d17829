"""Recordings and their windows."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.signals.recording import Recording, windows
from edgecnn.types import Float32


def numbers(count: int, channels: int = 1) -> Float32:
    return np.arange(count * channels, dtype=np.float32).reshape(count, channels)


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 7], [9, 1]])
def test_windows_do_not_depend_on_the_chunks(sizes: list[int]) -> None:
    parts = np.split(numbers(10), np.cumsum(sizes)[:-1])
    found = [(start, window[:, 0].tolist()) for start, window in windows(parts, 4, 2)]
    assert found == [(start, list(range(start, start + 4))) for start in (0, 2, 4, 6)]


def test_a_hop_above_the_length_skips_samples_and_the_rest_is_left_out() -> None:
    assert [start for start, _ in windows([numbers(11)], 3, 4)] == [0, 4, 8]
    assert [start for start, _ in windows([numbers(10)], 3, 4)] == [0, 4]


def test_channels_are_picked_by_name() -> None:
    found = Recording(numbers(2, 3), 100.0, ("x", "y", "z")).pick(("z", "x"), "log.csv")
    assert found.samples.tolist() == [[2, 0], [5, 3]]


def test_unnamed_channels_are_taken_in_order() -> None:
    assert Recording(numbers(2, 2), 100.0, ("ch0", "ch1")).pick(("left", "right"), "a.wav").channels == ("left", "right")


def test_channels_of_other_names_are_refused() -> None:
    with pytest.raises(InputError, match="has the channels x, y, but the model needs a, b"):
        Recording(numbers(2, 2), 100.0, ("x", "y")).pick(("a", "b"), "log.csv")
    with pytest.raises(InputError, match="has the channels ch0, ch1"):
        Recording(numbers(2, 2), 100.0, ("ch0", "ch1")).pick(("mono",), "a.wav")


def test_another_sample_rate_is_refused() -> None:
    recording = Recording(numbers(2), 8000.0, ("ch0",))
    recording.check_rate(8050.0, "a.wav")
    with pytest.raises(InputError, match="8000 samples a second, but the model needs 12000"):
        recording.check_rate(12000.0, "a.wav")
