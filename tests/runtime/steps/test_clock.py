"""The clock of a source."""

from __future__ import annotations

import pytest

from edgecnn.runtime.steps.clock import clock_of
from edgecnn.types import Frame
from tests.runtime.steps.results import IMAGE


@pytest.mark.parametrize(
    ("live", "fps", "seconds"),
    [
        pytest.param(True, 10.0, 7.5, id="camera"),
        pytest.param(False, 10.0, 6.0, id="file"),
        pytest.param(False, None, 2.0, id="unknown"),
    ],
)
def test_clocks(live: bool, fps: float | None, seconds: float) -> None:
    class Of:
        """A source as far as clocks look."""

        def __init__(self) -> None:
            self.live, self.fps = live, fps

    assert clock_of(Of())(Frame(60, 7.5, IMAGE)) == seconds
