"""Text that is drawn again and again where somebody watches, and lines that stay, without tearing one by the other."""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TextIO

from edgecnn.runtime.sources.opencv_logging import stderr_held

if TYPE_CHECKING:
    from typing_extensions import Self


class Screen(ABC):
    """Writes what ``_draw`` gives to ``out`` every so many seconds, from entering to leaving; then what was drawn is gone.

    ``say`` prints lines for good on standard output, ``note`` on ``out``.
    """

    def __init__(self, out: TextIO, every: float, name: str) -> None:
        self._out, self._every = out, every
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
        """Print lines for good on ``out``, else on standard output."""
        self._print(text, out or sys.stdout)

    def note(self, text: str) -> None:
        """Print lines for good where the drawing is."""
        self._print(text, self._out)

    @abstractmethod
    def _draw(self) -> str:
        """What to write now."""

    @abstractmethod
    def _erased(self) -> str:
        """What to write so that nothing that was drawn is left."""

    def _print(self, text: str, out: TextIO) -> None:
        with self._lock:
            self._write(self._erased())
            out.write(text + "\n")
            out.flush()

    def _work(self) -> None:
        while not self._done.wait(self._every):
            with self._lock:
                self._write(self._draw())

    def _write(self, text: str) -> None:
        with stderr_held():
            self._out.write(text)
            self._out.flush()
