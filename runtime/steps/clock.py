"""Times of frames in seconds: the capture time for a live camera, the media time for a video file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from edgecnn.types import Frame

Clock: TypeAlias = Callable[[Frame], float]
DEFAULT_FPS = 30.0


class Timed(Protocol):
    """The attributes of a source that determine its clock."""

    live: bool
    fps: float | None


def media_time(frame: Frame, fps: float | None, default_fps: float = DEFAULT_FPS) -> float:
    """Return the media time of a frame in seconds: its time stamp, else index / ``fps`` (``default_fps`` if ``fps`` is None)."""
    return frame.index / (fps or default_fps) if frame.media_time is None else frame.media_time


def captured(frame: Frame) -> float:
    """Return the capture time in ``perf_counter`` seconds, the clock of a live camera."""
    return frame.captured_at


def clock_of(source: Timed) -> Clock:
    """Return the clock of a source: capture time for a live source, else media time."""
    # A file may be read faster or slower than it was recorded. Dwell times, smoothing and lost tracks must not depend on that.
    return captured if source.live else lambda frame: media_time(frame, source.fps)
