"""When the frames of a file are shown, by time stamps that may be missing or start again."""

from __future__ import annotations


class MediaClock:
    """Times in seconds from the first frame, which never go back.

    A frame without a time stamp follows the one before by its ``period``. So does one whose stamp is earlier: the clock of a camera
    was set, or two recordings were joined; the stamps after it count from there.
    """

    def __init__(self) -> None:
        self.end = 0.0
        """When the last frame is over."""
        self._shift: float | None = None
        self._last = 0.0

    def time(self, stamp: float | None, period: float) -> float:
        """The time of the next frame; ``stamp`` and ``period`` are seconds."""
        if stamp is None:
            at = self.end
        else:
            if self._shift is None or stamp + self._shift < self._last:
                self._shift = self.end - stamp
            at = stamp + self._shift
        self._last, self.end = at, at + period
        return at
