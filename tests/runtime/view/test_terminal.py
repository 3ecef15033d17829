"""The numbers of a run in a terminal: in a real one (tmux), and what is drawn for which size."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecnn.runtime.view.protocols import ViewContext
from edgecnn.runtime.view.run_metrics import RunMetrics
from edgecnn.runtime.view.terminal import duration, render, sparkline
from edgecnn.types import Event
from tests.runtime.view.harness import FakeSink, MovingSource, SilentSource, multi_camera_of

TMUX = shutil.which("tmux")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def state() -> Any:
    """A run with a good and a lost camera, an output that fails and some events."""
    multi_camera = multi_camera_of({"front door": MovingSource(fps=50), "yard": SilentSource()})
    labels = {"front door": ("thing",)}
    run_metrics = RunMetrics(
        ViewContext(
            run=multi_camera, controls=multi_camera.controls, labels=labels, title="fake.onnx", sinks=lambda: [FakeSink()]
        )
    )
    with multi_camera:
        for count, result in enumerate(multi_camera):
            run_metrics.write(result)
            if count % 5 == 0:
                multi_camera.events.append(Event("line-crossed", time.perf_counter(), "front door", {"line": f"gate {count}"}))
                run_metrics.sample()
            if count == 30:
                return run_metrics.state()
    raise AssertionError("the run ended")


def test_a_wide_terminal_shows_everything(state: Any) -> None:
    lines = render(state, 140, 40, colored=False)
    text = "\n".join(lines)
    assert lines[0].startswith("edgecnn fake.onnx · 1 of 2 cameras live · running ")
    assert lines[2].startswith("front door  live")
    assert lines[2].endswith("1 thing")
    assert any(bar in lines[2] for bar in "▁▂▃▄▅▆▇█")
    assert "yard        lost     no answer from rtsp://***@camera/stream" in text
    assert "stages, ms p50 (p99): capture " in text
    assert "captured = " in text
    assert "output mqtt: failing: the broker does not answer, 7 written, 2 dropped" in text
    assert "front door: line crossed  line gate 30" in text


@pytest.mark.parametrize("lines", [2, 3, 5, 10, 24])
@pytest.mark.parametrize("columns", [10, 20, 39, 40, 60, 79, 80, 120, 200])
def test_it_fits_every_size(state: Any, columns: int, lines: int) -> None:
    drawn = render(state, columns, lines, colored=False)
    assert len(drawn) <= max(lines - 1, 1)
    assert max(map(len, drawn)) < columns


DRIFTED = {
    "state": "drifted",
    "text": "drift: brightness 9.01 for 20 s, usual: 46.2 to 198 in training; also contrast",
    "lines": ["brightness 9.01 for 20 s, usual: 46.2 to 198 in training", "contrast 2 for 20 s, usual: 20 to 61 in training"],
    "reference": "300 images of training (set)",
}


def test_a_drift_has_a_line_of_its_own(state: Any) -> None:
    door, yard = state["cameras"]
    both = state | {"cameras": [door | {"drift": DRIFTED}, yard]}
    (line,) = [line for line in render(both, 60, 12) if "drift: " in line]
    assert line.startswith("\x1b[33mfront door: drift: brightness 9.01 for 20 s, usual")
    (line,) = [
        line for line in render(state | {"cameras": [door | {"drift": DRIFTED}]}, 100, 12, colored=False) if "drift" in line
    ]
    assert line == DRIFTED["text"]
    normal = state | {"cameras": [door | {"drift": DRIFTED | {"state": "normal", "text": "no drift", "lines": []}}, yard]}
    assert "no drift" in render(normal, 60, 12, colored=False)
    assert not any("drift" in line for line in render(state, 60, 12))


def test_many_cameras_are_cut_to_what_fits(state: Any) -> None:
    many = state | {"cameras": [state["cameras"][0] | {"name": f"camera {number}"} for number in range(30)]}
    drawn = render(many, 80, 12, colored=False)
    assert len(drawn) <= 11
    assert any(line.startswith("and ") and line.endswith(" more") for line in drawn)


def test_names_can_not_steer_the_terminal(state: Any) -> None:
    evil = state["cameras"][0] | {"name": "a\x1b[2Jb\n", "summary": "\x07\x9b1m"}
    assert not any(
        ord(sign) < 32 or 127 <= ord(sign) < 160
        for line in render(state | {"cameras": [evil]}, 140, 30, colored=False)
        for sign in line
    )


def test_colours_are_told_apart_from_text(state: Any) -> None:
    assert any("\x1b[31m" in line for line in render(state, 100, 30))
    assert not any("\x1b" in line for line in render(state, 100, 30, colored=False))


def test_a_sparkline_shows_the_newest_values_and_gaps() -> None:
    assert sparkline([1, 2, None, 8], 10) == "▂▃ █"
    assert sparkline([1, 2, None, 8], 2) == " █"
    assert sparkline([], 5) == ""
    assert sparkline([0.0, 0.0], 5) == "▁▁"


@pytest.mark.parametrize(("seconds", "said"), [(5.2, "5 s"), (65, "1 min 5 s"), (7260, "2 h 1 min")])
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said


# In a real terminal

PROGRAM = """
    import sys, time
    from edgecnn.cli.signals import StopSignals
    from edgecnn.runtime.view.run_metrics import RunMetrics
    from edgecnn.runtime.view.protocols import ViewContext
    from edgecnn.runtime.view.terminal import TerminalView
    from tests.runtime.view.harness import MovingSource, SilentSource, multi_camera_of

    multi_camera = multi_camera_of({"door": MovingSource(), "yard": SilentSource()})
    context = ViewContext(run=multi_camera, controls=multi_camera.controls, labels={"door": ("thing",)}, title="fake.onnx")
    run_metrics = RunMetrics(context, interval_s=0.1)
    with StopSignals() as signals:
        signals.on_stop = multi_camera.stop
        with run_metrics, TerminalView(run_metrics) as view, multi_camera:
            view.note("said for good")
            for result in multi_camera:
                run_metrics.write(result)
    print("the end", signals.name)
"""


class Tmux:
    """A terminal of its own, in which a shell waits."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self._run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "24", "env PS1='prompt> ' sh")

    def _run(self, *words: str) -> str:
        return subprocess.run(
            [str(TMUX), "-S", self._socket, *words], check=True, capture_output=True, text=True, timeout=20
        ).stdout

    def type(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def until(self, holds: Callable[[str], bool], seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        while not holds(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    if TMUX is None:
        pytest.skip("no tmux: run tests/install_peers.sh")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    tmux = Tmux(tmp_path)
    try:
        tmux.until(lambda screen: "prompt>" in screen)
        tmux.type(f"cd {ROOT}; clear; PYTHONPATH=. exec_python={sys.executable}; export PYTHONPATH", "Enter")
        tmux.type(f"$exec_python {tmp_path / 'program.py'}", "Enter")
        tmux.until(lambda screen: "door    live" in screen)
        yield tmux
    finally:
        tmux.close()


def test_numbers_change_in_place_and_lines_for_good_stay(terminal: Tmux) -> None:
    first = terminal.until(lambda screen: "processed" in screen)
    second = terminal.until(lambda screen: _ledger(screen) not in ("", _ledger(first)))
    for screen in (first, second):
        assert screen.count("edgecnn fake.onnx") == 1
        assert screen.count("said for good") == 1
        assert "yard    lost" in screen


def test_at_the_end_the_terminal_is_as_it_was(terminal: Tmux) -> None:
    terminal.type("C-c")
    screen = terminal.until(lambda screen: "the end SIGINT" in screen and screen.rstrip().endswith("prompt>"))
    assert "edgecnn fake.onnx" not in screen
    assert "door    live" not in screen
    terminal.type("printf '%s' $(seq 1 60)", "Enter")  # is shown as it is typed, and wraps at the edge
    assert "5657585960" in terminal.until(lambda screen: "5657585960" in screen)


def test_a_new_size_is_followed(terminal: Tmux) -> None:
    terminal.resize(50, 12)
    terminal.until(lambda screen: screen.count("edgecnn fake.onnx") == 1 and "dropped" not in screen)
    terminal.resize(120, 30)
    wide = terminal.until(lambda screen: "age, recent" in screen)
    assert wide.count("edgecnn fake.onnx") == 1


def test_stopped_and_resumed_it_leaves_alone_what_the_shell_wrote(terminal: Tmux) -> None:
    terminal.type("C-z")
    assert "edgecnn fake.onnx" not in terminal.until(lambda screen: screen.rstrip().endswith("prompt>"))
    terminal.type("echo written-meanwhile", "Enter")
    terminal.until(lambda screen: "\nwritten-meanwhile" in screen)
    terminal.type("fg", "Enter")
    before = terminal.screen()
    screen = terminal.until(lambda screen: _ledger(screen.rpartition("\nprompt> fg")[2]) not in ("", _ledger(before)))
    assert "\nwritten-meanwhile" in screen


def test_killed_it_leaves_a_terminal_that_works(terminal: Tmux) -> None:
    terminal.type("C-z")
    terminal.until(lambda screen: screen.rstrip().endswith("prompt>"))
    terminal.type("kill -9 %1; wait; echo still-$((20 + 3))", "Enter")
    terminal.until(lambda screen: "still-23" in screen)
    terminal.type("printf '%s' $(seq 1 80)", "Enter")  # wraps at the edge as before
    terminal.until(lambda screen: "7677787980" in screen)


def _ledger(screen: str) -> str:
    return next((line for line in screen.splitlines() if line.startswith("ledger:")), "")
