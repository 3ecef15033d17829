"""Energy that the machine used in a period, integrated from the counters and sensors of ``energy_source``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter

from edgecnn.devices.energy_source import EnergyReading, EnergySource

SAMPLING_S = 0.1  # of power sensors; counters only have to be read before they start again


class _Integral:
    """The joules of one reading since its first value."""

    def __init__(self, reading: EnergyReading) -> None:
        self._reading = reading
        self._last: tuple[float, float] | None = None
        self.joules: float | None = None

    def sample(self, now: float) -> None:
        value = self._reading.read()
        if value is None:
            return
        if self._last is not None:
            self.joules = (self.joules or 0.0) + self._step(*self._last, now, value)
        self._last = (now, value)

    def _step(self, then: float, before: float, now: float, value: float) -> float:
        if self._reading.kind == "watts":
            return (now - then) * (before + value) / 2  # trapezium
        if value >= before:
            return value - before
        # the counter started again; a driver that does not say where it ends is taken to have been reset
        return value - before + (self._reading.wraps_at or before)


class EnergyMeter:
    """Joules used within its ``with`` block; ``joules`` is None where nothing is readable.

    A thread takes ten samples a second where there is a source; ``sample`` takes one at once.
    """

    def __init__(self, source: EnergySource, now: Callable[[], float] = perf_counter) -> None:
        self._parts = [_Integral(reading) for reading in source.readings]
        self._now, self._stop = now, threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._started = self._ended = 0.0

    @property
    def joules(self) -> float | None:
        """The energy up to the last sample; None unless all parts could be read."""
        found = [part.joules for part in self._parts]
        known = [value for value in found if value is not None]
        return sum(known) if known and len(known) == len(found) else None

    @property
    def watts(self) -> float | None:
        """The mean power from the first to the last sample."""
        spent = self._ended - self._started
        return None if self.joules is None or spent <= 0 else self.joules / spent

    def sample(self) -> None:
        """Read all parts now."""
        with self._lock:
            self._ended = self._now()
            for part in self._parts:
                part.sample(self._ended)

    def __enter__(self) -> EnergyMeter:
        self._started = self._now()
        self.sample()
        if self._parts:
            self._thread = threading.Thread(target=self._keep_sampling, name="energy", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.sample()

    def _keep_sampling(self) -> None:
        while not self._stop.wait(SAMPLING_S):
            self.sample()
