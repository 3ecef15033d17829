"""Chooses the frames of a camera that are inferred: every N-th, at most ``max_fps``, those that a gate passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.steps.clock import media_time
from edgecnn.types import Frame, Image


@dataclass(slots=True)
class FrameSampler:
    """Decides frame by frame, in order; rejected frames count as skipped.

    ``every`` N accepts frames 0, N, 2N ... ``max_fps`` goes by the time of capture, for a file by its time stamps. ``gate`` is
    called last, only for frames that passed the other two. Raises ``ValueError`` for numbers out of range.
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

    def accepts(self, frame: Frame) -> bool:
        """Whether to infer this frame."""
        self._count += 1
        if (self._count - 1) % self.every or not self._is_due(frame):
            return False
        return self.gate is None or self.gate(frame.image)

    def _is_due(self, frame: Frame) -> bool:
        """The due time advances by whole periods, so that unevenly spaced frames still average ``max_fps``."""
        if self.max_fps is None:
            return True
        unknown = frame.media_time is None and not self.source.fps
        at = frame.captured_at if self.source.live or unknown else media_time(frame, self.source.fps)
        period = 1 / self.max_fps
        if at < self._due - 1e-6:
            return False
        self._due = self._due + period if at < self._due + period else at + period
        return True
