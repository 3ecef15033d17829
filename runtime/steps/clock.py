"""The time of a frame in seconds: of capture for a camera, of the recording for a file, however fast it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from edgecnn.types import Frame

Clock: TypeAlias = Callable[[Frame], float]
DEFAULT_FPS = 30.0


class Timed(Protocol):
    """The attributes of a source that its clock needs."""

    live: bool
    fps: float | None


def media_time(frame: Frame, fps: float | None, default_fps: float = DEFAULT_FPS) -> float:
    """When a frame of a file is shown, in seconds: its time stamp, else index / ``fps``, or ``default_fps`` where None."""
    return frame.index / (fps or default_fps) if frame.media_time is None else frame.media_time


def captured(frame: Frame) -> float:
    """The time of capture: the clock of a live camera."""
    return frame.captured_at


def clock_of(source: Timed) -> Clock:
    """The clock of a source: the time of capture for a live one, else the frame's time stamp in its file."""
    return captured if source.live else lambda frame: media_time(frame, source.fps)
