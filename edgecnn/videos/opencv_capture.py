"""Reading videos and streams with OpenCV's own FFmpeg, where PyAV is not installed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from edgecnn.images.header import UnreadableImage
from edgecnn.images.reader import check_size
from edgecnn.types import Image
from edgecnn.videos.edit_list import shown_seconds
from edgecnn.videos.media_clock import MediaClock
from edgecnn.videos.opencv_logging import native_stderr_silenced, silence_video_logs

OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # the only way to give OpenCV options for FFmpeg, and one for the whole process
TRANSPORTS = {"tcp": "rtsp_flags;prefer_tcp", "udp": "rtsp_transport;udp"}
_SOON = "fpsprobesize;0"
_READ_AFTER_S = 0.1  # OpenCV reads the options first thing when it opens something; so much later it surely did
USERS_OPTIONS = os.environ.get(OPTIONS)  # what the user set; read here, since this module sets the variable itself later
_USUAL_FPS = 30.0
_MATROSKA = (".mkv", ".webm")
_lock = threading.Lock()
_begun = 0.0


def open_file(path: str, timeout: float, max_pixels: int | None = None) -> OpenCvCapture | None:
    """Open a file; None where FFmpeg can't, or not within ``timeout`` seconds. Raises ``UnreadableImage`` for too large frames."""
    _set_options("")
    with native_stderr_silenced():
        capture = _open(path, timeout, max_pixels)
    if capture is not None and "://" not in path:
        capture.shown_s = shown_seconds(Path(path))
        capture.counted = Path(path).suffix.lower() not in _MATROSKA
    return capture


def open_stream(address: str, timeout: float, max_pixels: int | None = None, transport: str = "tcp") -> OpenCvCapture | None:
    """Open a live address so that it begins soon; None where FFmpeg can't, or not within ``timeout`` seconds.

    ``transport`` is "udp", or "tcp", which falls back to UDP where a camera has nothing else. ``fpsprobesize;0`` spares the 20 frames
    that FFmpeg would watch to learn the frame rate. FFmpeg's ``nobuffer`` is not used: it throws the first key frame away, and a
    camera that sends the next one after ten seconds stays dark so long.
    """
    _set_options(f"{TRANSPORTS[transport]}|{_SOON}")
    return _open(address, timeout, max_pixels)


def _set_options(options: str) -> None:
    """Several things may be opened at once, and one that does not answer takes long: no lock is held meanwhile. Only who wants other
    options than the one before waits until those were read."""
    global _begun  # noqa: PLW0603 - as the options, one for the whole process
    if USERS_OPTIONS is not None:
        return
    with _lock:
        if os.environ.get(OPTIONS) != options:
            time.sleep(max(_begun + _READ_AFTER_S - time.perf_counter(), 0.0))
            os.environ[OPTIONS] = options
        _begun = time.perf_counter()


def _open(target: str, timeout: float, max_pixels: int | None) -> OpenCvCapture | None:
    """One decoding thread: FFmpeg holds back one frame per further thread, which is delay on a live stream, and on a file takes the
    cores that inference needs."""
    silence_video_logs()
    milliseconds = max(int(timeout * 1000), 1)
    settings = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds,
        cv2.CAP_PROP_N_THREADS, 1,
    ]  # fmt: skip
    try:
        capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, settings)
    except cv2.error:  # its text may hold the address
        return None
    if not capture.isOpened():
        return None
    try:
        check_size(int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), max_pixels)
    except UnreadableImage:
        capture.release()
        raise
    return OpenCvCapture(capture)


class OpenCvCapture:
    """A ``VideoCapture`` by OpenCV. It scales frames that change their size to that of the first.

    ``shown_s`` is how long the file lasts by its edit list; the number of frames in its header counts those that are not shown.
    ``counted`` says whether the header has a number of frames.
    """

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture, self._read = capture, 0
        self.fps = frame_rate(capture)
        self.frame_count = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0) or None
        self.time: float | None = None
        self.shown_s: float | None = None
        self.counted = True
        self._clock = MediaClock()

    def grab(self) -> bool:
        """Decode the next frame; False at the end, after an error, and where none comes within the timeout."""
        grabbed = self._capture.grab()
        if grabbed:
            self._read += 1
            self._take_time(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        return grabbed

    def _take_time(self, stamp: float) -> None:
        """OpenCV gives 0 where a frame has no time stamp."""
        self.time = self._clock.time(stamp if stamp or self._read == 1 else None, 1 / (self.fps or _USUAL_FPS))

    def retrieve(self) -> Image | None:
        """The grabbed frame as (H, W, 3) uint8 BGR."""
        found, image = self._capture.retrieve()
        return as_bgr(image) if found and image is not None else None

    def missing(self) -> str | None:
        """At the end: how much less could be read than the header says; None for Matroska, where the number of frames is FFmpeg's
        guess from the length of the longest stream."""
        if not self.counted:
            return None
        promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._read >= promised - 1:  # where the header gives only a duration, the count is off by one
            return None
        end = self.time or 0.0
        # the usual time from one frame to the next is longer where frames were dropped when it was recorded
        period = max(1 / (self.fps or _USUAL_FPS), end / max(self._read - 1, 1))
        seconds = self.shown_s or promised / (self.fps or _USUAL_FPS)
        if end + 1.5 * period >= seconds:
            return None
        if self.shown_s is not None:
            return f"its header says {seconds:.1f} s, {end + period:.1f} s could be read"
        return f"its header says {promised} frames, {self._read} could be read"

    def release(self) -> None:
        """Close it."""
        self._capture.release()


def as_bgr(image: cv2.typing.MatLike) -> Image:
    """Three channels of uint8, also from a gray camera."""
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return image.astype(np.uint8, copy=False)


def frame_rate(capture: cv2.VideoCapture) -> float | None:
    """Frames per second by the header; None where it says none or nonsense."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0 < fps <= 1000 else None
