"""When a frame happened, in seconds that also hold for a file that is read faster or slower than it was filmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from edgecnn.types import Frame

Clock: TypeAlias = Callable[[Frame], float]
USUAL_FPS = 30.0


class Timed(Protocol):
    """What of a source tells the time."""

    live: bool
    fps: float | None


def captured(frame: Frame) -> float:
    """The moment of capture: the clock of a camera."""
    return frame.captured_at


def clock_of(source: Timed) -> Clock:
    """The clock of a source: the moment of capture for a live one, else the place in the file by its frame rate (30 where unknown)."""
    return captured if source.live else lambda frame: frame.index / (source.fps or USUAL_FPS)
