"""Keeps OpenCV, FFmpeg and the image libraries from writing to the terminal; edgecnn reports errors itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edgecnn.images.opencv_log import silence_opencv_log

_STDERR = 2
_lock = threading.RLock()


def silence_video_logs() -> None:
    """Turn the logs of OpenCV and FFmpeg off, unless OPENCV_LOG_LEVEL or OPENCV_FFMPEG_LOGLEVEL ask for them.

    Those logs would also show addresses with their passwords. It also lets OpenCV open several cameras at once; otherwise it opens
    them one after the other, and one that does not answer delays all.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
    silence_opencv_log()


class _Silence:
    """Redirects standard error to /dev/null while at least one user asks for it."""

    def __init__(self) -> None:
        self._users = 0
        self._kept: int | None = None
        self._nowhere: int | None = None  # opened once: this happens for every picture of some cameras

    def begin(self) -> None:
        self._users += 1
        if self._users == 1:
            with suppress(OSError):  # a process may have no standard error
                self._kept = os.dup(_STDERR)
                self.mute()

    def end(self) -> None:
        self._users -= 1
        if not self._users and self._kept is not None:
            self.unmute()
            os.close(self._kept)
            self._kept = None

    def mute(self) -> None:
        if self._kept is not None:
            if self._nowhere is None:
                self._nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(self._nowhere, _STDERR)

    def unmute(self) -> None:
        if self._kept is not None:
            os.dup2(self._kept, _STDERR)


_silence = _Silence()


@contextmanager
def stderr_held() -> Iterator[None]:
    """Standard error works inside the block, for a line of ours, even while another thread has it silenced."""
    with _lock:
        _silence.unmute()
        try:
            yield
        finally:
            _silence.mute()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Discard what native code prints: libjpeg, libpng and parts of OpenCV write to file descriptor 2 and have no setting for it.

    Python's own output of other threads stays whole where it is written under ``stderr_held``; so use it only around what is short.
    """
    if "OPENCV_LOG_LEVEL" in os.environ:
        yield
        return
    with _lock:
        _silence.begin()
    try:
        yield
    finally:
        with _lock:
            _silence.end()
