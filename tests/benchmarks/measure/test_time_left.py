from __future__ import annotations

import pytest

from edgecnn.benchmarks.measure.progress import time_left


@pytest.mark.parametrize(
    ("step_s", "last"),
    [
        pytest.param(0.1, "image 3 of 101", id="too early to tell"),
        pytest.param(1.5, "image 3 of 101, 2 min left", id="minutes"),
        pytest.param(100.0, "image 3 of 101, 2.7 h left", id="hours"),
    ],
)
def test_the_time_that_is_left(step_s: float, last: str) -> None:
    shown: list[str] = []
    now = [0.0]
    progress = time_left(shown.append, "image", lambda: now[0])
    for done in range(1, 4):
        progress(done, 101)
        now[0] += step_s
    assert shown[0] == "image 1 of 101"
    assert shown[-1] == last


def test_nothing_is_left_at_the_end() -> None:
    shown: list[str] = []
    progress = time_left(shown.append, "image", iter([0.0, 0.0, 50.0]).__next__)
    progress(1, 2)
    progress(2, 2)
    assert shown[-1] == "image 2 of 2"
