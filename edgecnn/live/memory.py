"""Gives freed memory back to the system during long runs."""

from __future__ import annotations

import threading

PERIOD_S = 60.0


class MemoryTrimmer:
    """Calls glibc's ``malloc_trim`` once a minute in a thread, inside a ``with`` block; does nothing with another C library.

    Each thread of decoders, engines and outputs takes memory from a pool of its own (malloc(3), M_ARENA_MAX), and a pool keeps what is
    freed in its middle. In an hour on four cameras that connect again and again this was 43 of 346 MiB.
    """

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._trim, name="edgecnn-trim", daemon=True)

    def __enter__(self) -> MemoryTrimmer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _trim(self) -> None:
        while not self._stop.wait(self._period_s):
            trim()


def trim() -> bool:
    """Give free memory back now; False where the C library has no ``malloc_trim``, or had nothing to give."""
    import ctypes  # here, since a short run never needs it

    try:
        # A foreign function releases the GIL: frames are processed meanwhile.
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
