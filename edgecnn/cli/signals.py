"""SIGINT and SIGTERM as a polite request to stop; the second one is not polite any more."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

HANDLED = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered, the first SIGINT or SIGTERM calls ``on_stop`` (before it is set: ends the program), the next one acts as usual.

    ``received`` is the signal that came, and ``exit_code`` 128 plus it, as shells expect: 130 for SIGINT, 143 for SIGTERM.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.on_stop: Callable[[], None] | None = None
        self._usual = {number: signal.getsignal(number) for number in HANDLED}

    def __enter__(self) -> StopSignals:
        for number in HANDLED:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """What to end the program with; 0 where no signal came."""
        return 128 + self.received if self.received is not None else 0

    @property
    def name(self) -> str:
        """SIGINT, SIGTERM or nothing."""
        return signal.Signals(self.received).name if self.received is not None else ""

    def _handle(self, number: int, _: FrameType | None) -> None:
        self._restore()
        self.received = number
        if self.on_stop is None:
            raise SystemExit(self.exit_code)
        self.on_stop()

    def _restore(self) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)
