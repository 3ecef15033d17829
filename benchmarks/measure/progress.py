"""A progress line on a terminal; nothing is shown where the output is not a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from time import monotonic
from typing import TextIO

Progress = Callable[[str], None]


def no_progress(_: str) -> None:
    """Show nothing."""


class ProgressLine:
    """Overwrites itself on stderr: call it with a short text; leaving the ``with`` block erases it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._started = monotonic()

    def __call__(self, text: str) -> None:
        """Show ``text`` with the seconds since the start, cut to the terminal's width."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            line = f"{monotonic() - self._started:4.0f} s  {text}"
            self._stream.write(f"\r\x1b[2K{line[:width]}")  # carriage return, then ECMA-48 "erase in line"
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
