"""Draws text in place in a terminal, and prints permanent lines above it."""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TextIO

from edgecnn.videos.opencv_logging import stderr_held

if TYPE_CHECKING:
    from typing_extensions import Self


class Screen(ABC):
    """As a context manager, writes ``_draw()`` to ``out`` every ``interval_s`` seconds, and erases it at the end.

    ``say`` prints permanent lines on standard output, ``note`` on ``out``.
    """

    def __init__(self, out: TextIO, interval_s: float, name: str) -> None:
        self._out, self._interval_s = out, interval_s
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._done.set()
        self._thread.join(1.0)
        with self._lock:
            self._write(self._erased())

    def say(self, text: str, out: TextIO | None = None) -> None:
        """Print permanent lines on ``out`` (None: standard output)."""
        self._print(text, out or sys.stdout)

    def note(self, text: str) -> None:
        """Print permanent lines on the stream of the drawing."""
        self._print(text, self._out)

    @abstractmethod
    def _draw(self) -> str:
        """Return the text to write."""

    @abstractmethod
    def _erased(self) -> str:
        """Return the text that erases the last drawing."""

    def _print(self, text: str, out: TextIO) -> None:
        with self._lock:
            # Erased first and drawn again at the next interval: out may be another stream on the same terminal.
            self._write(self._erased())
            with stderr_held():
                out.write(text + "\n")
                out.flush()

    def _work(self) -> None:
        while not self._done.wait(self._interval_s):
            with self._lock:
                self._write(self._draw())

    def _write(self, text: str) -> None:
        # While a library is silenced, file descriptor 2 leads to /dev/null: the text would be lost.
        with stderr_held():
            self._out.write(text)
            self._out.flush()
