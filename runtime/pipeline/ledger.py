"""The frame ledger: counts what became of each captured frame; it balances at every moment."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """A snapshot of the ledger: captured = processed + dropped + failed + skipped + in_flight.

    ``skipped`` frames were not inferred on purpose: every N, max_fps, motion gating, paused. ``unfinished`` is the part of
    ``dropped`` that was in flight when the pipeline stopped; the others were dropped for a newer frame.
    """

    captured: int = 0
    processed: int = 0
    dropped: int = 0
    failed: int = 0
    unfinished: int = 0
    skipped: int = 0

    @property
    def in_flight(self) -> int:
        """Frames captured that are not finished yet; 0 after the pipeline has ended."""
        return self.captured - self.processed - self.dropped - self.failed - self.skipped


class Ledger:
    """Counts frames from several threads; ``counts()`` is a consistent snapshot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = FrameCounts()
        self._settled = False

    def add(self, *, captured: int = 0, processed: int = 0, dropped: int = 0, failed: int = 0, skipped: int = 0) -> None:
        """Count frames; raises ``ValueError`` where more would end than were captured. After ``settle`` nothing is counted."""
        with self._lock:
            if self._settled:
                return
            old = self._counts
            new = FrameCounts(
                old.captured + captured,
                old.processed + processed,
                old.dropped + dropped,
                old.failed + failed,
                old.unfinished,
                old.skipped + skipped,
            )
            if new.in_flight < 0:
                raise ValueError(f"more frames ended than the {old.in_flight} in flight: {new}")
            self._counts = new

    def settle(self) -> None:
        """At the end: count the frames still in flight as dropped and unfinished."""
        with self._lock:
            old = self._counts
            rest = old.in_flight
            self._counts = replace(old, dropped=old.dropped + rest, unfinished=old.unfinished + rest)
            self._settled = True

    def counts(self) -> FrameCounts:
        """A consistent snapshot."""
        with self._lock:
            return self._counts
