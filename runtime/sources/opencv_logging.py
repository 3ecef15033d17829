"""Keeps OpenCV, FFmpeg and the image libraries from writing to a user's terminal: edgecnn says itself what went wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDERR = 2
_lock = threading.RLock()


def silence_video_logs() -> None:
    """Turn the logs of OpenCV and FFmpeg off, unless OPENCV_LOG_LEVEL or OPENCV_FFMPEG_LOGLEVEL ask for them.

    Those logs would also show addresses with their passwords. And let several cameras be opened at once: OpenCV opens them one after
    the other otherwise, so that one which does not answer holds up all.
    """
    import cv2  # not before a model has begun to open: it takes as long to load

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        if hasattr(cv2, "setLogLevel"):  # OpenCV 4
            cv2.setLogLevel(0)
        else:
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class _Silence:
    """Standard error sent to nowhere for as long as anybody wants it so."""

    def __init__(self) -> None:
        self._users = 0
        self._kept: int | None = None
        self._nowhere: int | None = None  # opened once: this happens for every picture of some cameras

    def begin(self) -> None:
        self._users += 1
        if self._users == 1:
            with suppress(OSError):  # a process without standard error has nothing to silence
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
    """While a terminal line is written: standard error is heard, whoever has it silenced."""
    with _lock:
        _silence.unmute()
        try:
            yield
        finally:
            _silence.mute()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send what native code prints to nowhere: libjpeg, libpng and parts of OpenCV write to file descriptor 2 and can't be asked not to.

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
