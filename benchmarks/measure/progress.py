"""A progress line on a terminal; nothing is shown where the output is not a terminal, unless another program asks for lines."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

PROGRESS_VARIABLE: Final = "EDGECNN_PROGRESS"  # "lines": one marked line for each step, for a program that shows them elsewhere
PROGRESS_MARK: Final = "\x1eprogress "
SOON_S: Final = 2.0  # a time that is left is told from then on
Progress = Callable[[str], None]


def no_progress(_: str) -> None:
    """Show nothing."""


def time_left(show: Progress, noun: str, clock: Callable[[], float] = monotonic) -> Callable[[int, int], None]:
    """Shows "image 30 of 200, 2 min left" for each call with (done, total); the time is that of the steps so far, from the second on."""
    begun: list[tuple[int, float]] = []

    def progress(done: int, total: int) -> None:
        if not begun:
            begun.append((done, clock()))
        steps, spent = done - begun[0][0], clock() - begun[0][1]
        left = f", {_duration(spent / steps * (total - done))} left" if steps and spent >= SOON_S and done < total else ""
        show(f"{noun} {done} of {total}{left}")

    return progress


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class ProgressLine:
    """Overwrites itself on stderr: call it with a short text; leaving the ``with`` block erases it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._as_lines = not self._is_terminal and os.environ.get(PROGRESS_VARIABLE) == "lines"
        self._started = monotonic()

    def __call__(self, text: str) -> None:
        """Show ``text`` with the seconds since the start, cut to the terminal's width."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            line = f"{monotonic() - self._started:4.0f} s  {text}"
            self._stream.write(f"\r\x1b[2K{line[:width]}")  # carriage return, then ECMA-48 "erase in line"
            self._stream.flush()
        elif self._as_lines:
            self._stream.write(f"{PROGRESS_MARK}{text}\n")
            self._stream.flush()

    def above(self, text: str) -> None:
        """Print a line that stays; the progress goes on below it."""
        self._stream.write(f"\r\x1b[2K{text}\n" if self._is_terminal else f"{text}\n")
        self._stream.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_terminal:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
