from __future__ import annotations

from io import StringIO

import pytest

from edgecnn.live.config import ViewConfig
from edgecnn.live.view import uses_terminal


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("tty", "view", "cameras", "to_stdout", "used"),
    [
        pytest.param(True, None, 1, False, False, id="one camera has a line"),
        pytest.param(True, None, 3, False, True, id="several have a table"),
        pytest.param(True, True, 1, False, True, id="asked for"),
        pytest.param(True, False, 3, False, False, id="refused"),
        pytest.param(True, None, 3, True, False, id="results go there"),
        pytest.param(True, True, 3, True, True, id="asked for although results go there"),
        pytest.param(False, True, 3, False, False, id="no terminal"),
    ],
)
def test_when_a_table_is_drawn_in_the_terminal(
    tty: bool, view: bool | None, cameras: int, to_stdout: bool, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal() if tty else StringIO()
    assert uses_terminal(ViewConfig(terminal=view), cameras, to_stdout=to_stdout, out=stream, err=stream) == used


def test_a_dumb_terminal_has_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not uses_terminal(ViewConfig(terminal=True), 3, to_stdout=False, out=Terminal(), err=Terminal())
