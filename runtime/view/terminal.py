"""Shows the metrics of a run as a table in the terminal, redrawn in place twice a second."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from edgecnn.runtime.view.protocols import BAD_STATES
from edgecnn.runtime.view.run_metrics import RunMetrics
from edgecnn.runtime.view.screen import Screen

if TYPE_CHECKING:
    from typing_extensions import Self

_RED, _YELLOW, _DIM, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
# ECMA-48 and DEC private modes: autowrap off and on (DECAWM), erase to end of line (EL) and of screen (ED), erase all.
_NO_WRAP, _WRAP, _TO_END_OF_LINE, _TO_END, _WIPE = "\x1b[?7l", "\x1b[?7h", "\x1b[K", "\x1b[J", "\x1b[2J\x1b[H"
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.,-~=+#"
_MIN_SIZE = 20, 4  # columns and lines below which only the state is shown


class TerminalView(Screen):
    """Draws the state of ``run_metrics`` on the terminal ``out``; does not change settings of the terminal."""

    def __init__(self, run_metrics: RunMetrics, out: TextIO | None = None, *, interval_s: float | None = None) -> None:
        super().__init__(out or sys.stderr, interval_s or run_metrics.interval_s, "edgecnn-terminal")
        self._run_metrics = run_metrics
        self._drawn = 0
        self._size = (0, 0)
        self._previous_handler: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGTSTP"):
            self._previous_handler = signal.signal(signal.SIGTSTP, self._stop)
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        if self._previous_handler is not None:
            signal.signal(signal.SIGTSTP, self._previous_handler)

    def _stop(self, *_: object) -> None:
        """Handle Ctrl-Z: erase the drawing before the process stops, so that the shell gets a clean terminal."""
        held = self._lock.acquire(timeout=0.2)  # this very thread may hold it, since a signal interrupts it anywhere
        self._write(self._erased())
        # This handler replaced the default action of SIGTSTP, so the process stops itself by the signal without handlers.
        os.kill(os.getpid(), signal.SIGSTOP)
        if held:
            self._lock.release()

    def _draw(self) -> str:
        size = _size_of(self._out)
        lines = render(
            self._run_metrics.state(self._run_metrics.tick - 240), *size, bars=self._bars(), colored="NO_COLOR" not in os.environ
        )
        # After a resize the terminal has wrapped the old lines, so their number is unknown: erase the whole screen.
        resized = self._size not in ((0, 0), size)
        start = _WIPE if resized else self._home()
        self._size, self._drawn = size, len(lines)
        return start + _NO_WRAP + "\n".join(line + _TO_END_OF_LINE for line in lines) + _TO_END + _WRAP

    def _bars(self) -> str:
        return _BARS if "utf" in (self._out.encoding or "").lower() else _PLAIN_BARS

    def _home(self) -> str:
        """Return the sequence that moves the cursor to the beginning of the first line."""
        return "\r" + (f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else "")

    def _erased(self) -> str:
        erase, self._drawn = (self._home() + _TO_END if self._drawn else ""), 0
        return erase


def render(state: dict[str, Any], columns: int, lines: int, *, bars: str = _BARS, colored: bool = True) -> list[str]:
    """Format the state (see ``RunMetrics.state``) in at most ``lines - 1`` lines of ``columns - 1`` characters plus colours."""
    # Some terminals scroll or wrap when the last column or line is written.
    width, height = columns - 1, lines - 1
    if columns < _MIN_SIZE[0] or lines < _MIN_SIZE[1]:
        return [_cut(f"{_cameras_text(state)}", width)]
    cameras = state["cameras"]
    table = _table(cameras, width, bars)
    table = table if len(table) < height else [*table[: max(height - 2, 1)], (f"and {len(table) - max(height - 2, 1)} more", "")]
    rows: list[tuple[str, str]] = [(_title(state), _BOLD), *table]
    # Blocks that do not fit are left out as a whole; the cameras come first.
    for block in (_drift_rows(cameras), _stage_rows(cameras), _sink_rows(state["sinks"])):
        if block and len(rows) + len(block) <= height:
            rows += block
    room = height - len(rows) - 1
    if state["events"] and room > 0:
        rows += [("", ""), *_event_rows(state["events"], min(room, 8), single=len(cameras) == 1)]
    return [_colored(_cut(text, width), color, colored) for text, color in rows[:height]]


def _title(state: dict[str, Any]) -> str:
    title = "edgecnn" if state["title"] in ("", "edgecnn") else f"edgecnn {_clean(state['title'])}"
    parts = [title, _cameras_text(state), f"running {duration(state['uptime_s'])}"]
    setting = state["controls"]
    if setting["score_threshold"] is not None:
        parts.append(f"score threshold {'by class' if setting['by_class'] else format(setting['score_threshold'], '.2f')}")
    return " · ".join(parts)


def _cameras_text(state: dict[str, Any]) -> str:
    cameras = state["cameras"]
    if len(cameras) == 1:
        return str(cameras[0]["state"])
    return f"{sum(camera['state'] == 'live' for camera in cameras)} of {len(cameras)} cameras live"


@dataclass(frozen=True)
class _Columns:
    """Widths of the columns; 0 for a column that does not fit."""

    name: int
    dropped: int
    spark: int
    summary: int

    @classmethod
    def fitted(cls, width: int, names: Sequence[str]) -> _Columns:
        name = min(max([6, *(len(name) for name in names)]), 20)
        room = width - name - 36
        dropped = 10 if room >= 10 else 0
        room -= dropped
        spark = min(room - 26, 40) if room >= 40 else 0
        room -= spark + 2 if spark else 0
        return cls(name, dropped, spark, room - 2 if room >= 10 else 0)

    def line(self, name: str, state: str, numbers: Sequence[str], dropped: str, spark: str, summary: str) -> str:
        text = f"{name[: self.name]:<{self.name}}  {state:<8}{numbers[0]:>9}{numbers[1]:>9}{numbers[2]:>8}"
        text += f"{dropped:>10}" if self.dropped else ""
        text += f"  {spark:<{self.spark}}" if self.spark else ""
        return text + (f"  {summary[: self.summary]}" if self.summary else "")


def _table(cameras: Sequence[dict[str, Any]], width: int, bars: str) -> list[tuple[str, str]]:
    """Format the heading and a line for each camera."""
    columns = _Columns.fitted(width, [_clean(camera["name"]) for camera in cameras])
    title = columns.line("camera", "state", ["frames/s", "age p50", "p99 ms"], "dropped", "age, recent", "results")
    return [(title, _DIM), *(_camera_row(camera, columns, bars) for camera in cameras)]


def _camera_row(camera: dict[str, Any], columns: _Columns, bars: str) -> tuple[str, str]:
    name, age = _clean(camera["name"]), camera["age_ms"]
    if camera["state"] in BAD_STATES:
        return f"{name[: columns.name]:<{columns.name}}  {camera['state']:<8} {_clean(camera['detail'])}", _RED
    numbers = [_short(value) for value in (camera["processed_fps"], age["p50"], age["p99"])]
    spark = sparkline([point["age_ms"][0] for point in camera["points"]], columns.spark, bars)
    text = columns.line(
        name,
        camera["state"],
        numbers,
        str(camera["ledger"]["dropped"]),
        spark,
        _clean(" · ".join([camera["summary"], *camera["counts"]])),
    )
    return text, _YELLOW if camera["state"] == "paused" else ""


def sparkline(values: Sequence[float | None], width: int, bars: str = _BARS) -> str:
    """Format the newest ``width`` values as bars between 0 and the maximum; None is a gap."""
    shown = list(values)[-max(width, 0) :] if width > 0 else []
    highest = max((value for value in shown if value is not None), default=0.0) or 1.0
    places = [None if value is None else min(math.floor(value / highest * len(bars)), len(bars) - 1) for value in shown]
    return "".join(" " if place is None else bars[place] for place in places)


def _drift_rows(cameras: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Format a line for each camera that drifts or is learnt; one line where all that are watched are normal."""
    watched = [camera for camera in cameras if camera["drift"] is not None]
    told = [camera for camera in watched if camera["drift"]["state"] != "normal"]
    if not told:
        return [("no drift", _DIM)] if watched else []
    rows = []
    for camera in told:
        place = "" if len(cameras) == 1 else f"{camera['name']}: "
        rows.append((_clean(f"{place}{camera['drift']['text']}"), _YELLOW if camera["drift"]["state"] == "drifted" else _DIM))
    return rows


def _stage_rows(cameras: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Format the lines for all cameras: stage times of the slowest camera, and the ledger of all frames."""
    stages: dict[str, tuple[float, float]] = {}
    for camera in cameras:
        for stage, clock in camera["stage_ms"].items():
            before = stages.get(stage, (0.0, 0.0))
            stages[stage] = max(before[0], clock["p50"] or 0.0), max(before[1], clock["p99"] or 0.0)
    spent = " · ".join(f"{stage} {_short(p50)} ({_short(p99)})" for stage, (p50, p99) in stages.items())
    counted = ("captured", "processed", "dropped", "skipped", "failed", "in_flight")
    sums = {name: sum(camera["ledger"][name] for camera in cameras) for name in counted}
    parts = [f"{sums[name]} {name.replace('_', ' ')}" for name in counted[1:] if sums[name] or name == "processed"]
    rows = [("", ""), (f"stages, ms p50 (p99): {spent}", "")] if spent else [("", "")]
    return [*rows, (f"ledger: {sums['captured']} captured = {' + '.join(parts)}", "")]


def _sink_rows(sinks: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    rows = []
    for sink in sinks:
        counts = ", ".join(f"{sink[name]} {name}" for name in ("written", "dropped", "failed") if sink[name] or name == "written")
        why = f": {_clean(sink['detail'])}" if sink["detail"] else ""
        rows.append(
            (f"output {_clean(sink['name'])}: {sink['state']}{why}, {counts}", "" if sink["state"] == "working" else _RED)
        )
    return rows


def _event_rows(events: Sequence[dict[str, Any]], most: int, *, single: bool) -> list[tuple[str, str]]:
    rows = []
    for event in list(reversed(events))[:most]:
        at = time.strftime("%H:%M:%S", time.localtime(event["unix_time_s"]))
        told = event["details"].get("text")  # events of drift say it in one line
        details = told or ", ".join(f"{key} {value}" for key, value in event["details"].items())
        place = "" if single or not event["camera"] else f"{event['camera']}: "
        rows.append((_clean(f"{at}  {place}{event['kind'].replace('-', ' ')}  {details}"), _DIM))
    return rows


def duration(seconds: float) -> str:
    """Format seconds: ``1 h 5 min``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _clean(text: str) -> str:
    """Replace control characters: names come from files and cameras and could contain escape sequences."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _colored(text: str, color: str, enabled: bool) -> str:
    return f"{color}{text}{_PLAIN}" if enabled and color else text


def _size_of(out: TextIO) -> tuple[int, int]:
    try:
        return tuple(os.get_terminal_size(out.fileno()))  # type: ignore[return-value]
    except (OSError, ValueError):
        return tuple(shutil.get_terminal_size())  # type: ignore[return-value]
