"""One line on a terminal that says what is being measured; nothing at all where output goes to a file."""

from __future__ import annotations

import shutil
import sys
from time import monotonic
from typing import TextIO


class StatusLine:
    """Overwrites itself on stderr; call it with a short text, leave the ``with`` to wipe it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._started = monotonic()

    def __call__(self, text: str) -> None:
        """Show ``text`` with the seconds since the start, cut to the terminal's width."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            line = f"{monotonic() - self._started:4.0f} s  {text}"
            self._stream.write(f"\r\x1b[2K{line[:width]}")
            self._stream.flush()

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
