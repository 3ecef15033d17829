"""Opening and reading with OpenCV's FFmpeg: what video files and network addresses share."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.runtime.sources.quiet import native_stderr_silenced, silence_video_logs
from edgecnn.types import Image


def open_ffmpeg(target: str, timeout: float) -> cv2.VideoCapture | None:
    """Open a file or address; None where FFmpeg can't, or not within ``timeout`` seconds.

    One decoding thread: FFmpeg holds back one frame per further thread, which is delay on a live stream, and on a file takes the cores
    that inference needs.
    """
    silence_video_logs()
    milliseconds = max(int(timeout * 1000), 1)
    settings = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds,
        cv2.CAP_PROP_N_THREADS, 1,
    ]  # fmt: skip
    with native_stderr_silenced():
        capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, settings)
    return capture if capture.isOpened() else None


def read_next(capture: cv2.VideoCapture) -> Image | None:
    """The next image (H, W, 3) BGR, or None at the end."""
    found, image = capture.read()
    return as_bgr(image) if found else None


def as_bgr(image: cv2.typing.MatLike) -> Image:
    """Three channels of uint8, also from a gray camera."""
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return image.astype(np.uint8, copy=False)


def frame_rate(capture: cv2.VideoCapture) -> float | None:
    """Frames per second by the header; None where it says none or nonsense."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0 < fps <= 1000 else None
