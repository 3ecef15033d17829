"""Which frames of a camera are looked at: not those while it is paused, every N-th, at most so many a second, where something moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgecnn.runtime.sources.base import Source
from edgecnn.types import Frame, Image


@dataclass(slots=True)
class FrameSampler:
    """Decides frame by frame, in order; a frame it does not want counts as skipped.

    ``every`` N looks at frames 0, N, 2N ... as they come. ``max_fps`` counts by the time of capture, for a file by its own frame rate.
    ``gate`` is asked last, only about frames that the others let pass.
    """

    source: Source
    every: int = 1
    max_fps: float | None = None
    gate: Callable[[Image], bool] | None = None
    _count: int = 0
    _due: float = float("-inf")

    def __post_init__(self) -> None:
        if self.every < 1 or (self.max_fps is not None and self.max_fps <= 0):
            raise ValueError(f"every must be at least 1 and max_fps above 0, not {self.every} and {self.max_fps}")

    def wants(self, frame: Frame) -> bool:
        """Whether to look at this frame."""
        self._count += 1
        if (self._count - 1) % self.every or not self._is_due(frame):
            return False
        return self.gate is None or self.gate(frame.image)

    def _is_due(self, frame: Frame) -> bool:
        """Frames that come unevenly are still ``max_fps`` a second on average: what is due moves on by whole periods."""
        if self.max_fps is None:
            return True
        at = frame.captured_at if self.source.live or not self.source.fps else frame.index / self.source.fps
        period = 1 / self.max_fps
        if at < self._due - 1e-6:
            return False
        self._due = self._due + period if at < self._due + period else at + period
        return True
