"""SIGINT and SIGTERM: the first one stops the run gracefully, the second one ends the process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

HANDLED = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 128 + signal.SIGINT  # exit code after Ctrl-C, as shells have it


class StopSignals:
    """While entered, the first SIGINT or SIGTERM calls ``on_stop`` (before it is set: exits), the next one has its default effect.

    ``received`` is the signal number, and ``exit_code`` 128 plus it, as shells expect: 130 for SIGINT, 143 for SIGTERM.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.on_stop: Callable[[], None] | None = None
        self._default_handlers = {number: signal.getsignal(number) for number in HANDLED}

    def __enter__(self) -> StopSignals:
        for number in HANDLED:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """Exit code of the process; 0 without a signal."""
        return 128 + self.received if self.received is not None else 0

    @property
    def name(self) -> str:
        """SIGINT, SIGTERM or ""."""
        return signal.Signals(self.received).name if self.received is not None else ""

    def _handle(self, number: int, _: FrameType | None) -> None:
        self._restore()
        self.received = number
        if self.on_stop is None:
            raise SystemExit(self.exit_code)
        self.on_stop()

    def _restore(self) -> None:
        for number, handler in self._default_handlers.items():
            signal.signal(number, handler)
