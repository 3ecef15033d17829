"""Keeps OpenCV, FFmpeg and the image libraries from writing to a user's terminal: edgecnn says itself what went wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2

_STDERR = 2
_lock = threading.RLock()


def silence_video_logs() -> None:
    """Turn the logs of OpenCV and FFmpeg off, unless OPENCV_LOG_LEVEL or OPENCV_FFMPEG_LOGLEVEL ask for them."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextmanager
def stderr_held() -> Iterator[None]:
    """While a terminal line is written: no other thread has standard error silenced."""
    with _lock:
        yield


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send what native code prints to nowhere: libjpeg, libpng and parts of OpenCV write to file descriptor 2 and can't be asked not to.

    Python's own output of other threads stays whole where it is written under ``stderr_held``.
    """
    if "OPENCV_LOG_LEVEL" in os.environ:
        yield
        return
    with _lock:
        kept = _redirect()
        try:
            yield
        finally:
            if kept is not None:
                os.dup2(kept, _STDERR)
                os.close(kept)


def _redirect() -> int | None:
    with suppress(OSError):  # a process without standard error has nothing to silence
        kept = os.dup(_STDERR)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        return kept
    return None
