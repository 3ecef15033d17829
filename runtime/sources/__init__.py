"""Sources of frames: images, folders, videos, cameras, network addresses, pipes, the built-in scene."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Failure, SilenceError, Source
from edgecnn.runtime.sources.reconnect import ReconnectingSource, ReconnectOptions
from edgecnn.runtime.sources.redact import expand_variables, redact_address

__all__ = ["Failure", "ReconnectOptions", "ReconnectingSource", "SilenceError", "Source", "open_source"]

_CAMERA_NUMBER = re.compile(r"[0-9]{1,9}(\?|$)")
SIGNAL_FILE = re.compile(r"\.(csv|wav)($|\?)", re.IGNORECASE)
_KINDS = "an image, a folder of images, a video, a camera number, an rtsp:// or http:// address, or scene:cups"


def open_source(
    uri: str | int | Path,
    *,
    timeout: float = 5.0,
    repeat: int = 1,
    paced: bool | None = None,
    reconnect: ReconnectOptions | None = None,
    max_image_pixels: int | None = None,
) -> Source:
    """The source at ``uri``; its device is opened when it is iterated.

    ======================================  =============================================================================
    an image, a folder, a video             a path
    several images                          'images/*.jpg', 'day/**/*.png', frame_%04d.png
    a camera of this machine                0 if no file or folder is called 0, /dev/video0, /dev/v4l/by-id/..., with options:
                                            0?size=1280x720&fps=30&fourcc=MJPG
    RTSP                                    rtsp:// (over TCP), rtspu:// (over UDP), rtsps://
    HTTP                                    http://, https://, https+insecure:// (any certificate): MJPEG, or what FFmpeg reads
    standard input                          - : JPEGs (ffmpeg -f mjpeg -), or what FFmpeg reads
    OpenCV's own                            gst:PIPELINE ! appsink, ffmpeg:ANYTHING
    the built-in scene                      scene:cups
    tensors                                 a .npz file with an array for each input, a .npy file, a folder of them
    a signal                                a path of a .csv or .wav file (log.csv?columns=ax,ay&rate=1000), serial:/dev/ttyUSB0?baud=115200
    ======================================  =============================================================================

    ``${NAME}`` in an address is replaced by the environment variable and never shown, which keeps passwords out of files and process
    lists. ``timeout`` is the longest time to a frame in seconds. ``repeat`` plays files that many times, 0 for ever. ``paced`` makes
    a video, the scene or standard input behave like a live camera; None does so for the scene only; False gives every frame of an
    address, also those that queued up on the way. With ``reconnect`` a camera or live address is reconnected when it fails (see
    ``ReconnectingSource``); a file never is. An image or frame with more than ``max_image_pixels`` is not decoded; None is what the
    environment variable EDGECNN_MAX_IMAGE_PIXELS says, else 120 million.
    Raises ``SourceError`` for a source that does not exist, ``MissingExtraError`` for an http:// camera without httpx, and
    ``ValueError`` for a timeout or repeat out of range.
    """
    if timeout <= 0 or repeat < 0:
        raise ValueError(f"timeout must be above 0 and repeat 0 or more, not {timeout} and {repeat}")
    text = str(uri)
    _check_characters(text)
    options = _Options(timeout, paced, max_image_pixels)
    live = _open_live(text, options)
    if live is None:
        try:
            return _open_files(text, repeat, options)
        except OSError as error:  # a name that is too long, a folder that may not be entered
            reason = (error.strerror or str(error)).lower()
            raise SourceError(f"{redact_address(text)} can't be opened: {reason}", "check the path") from error
    if repeat != 1:
        raise SourceError(f"--repeat: {live.name} never ends", "leave --repeat out")
    if reconnect is None or not live.live or text == "-" or text.startswith(("scene:", "serial:")):
        return live
    return ReconnectingSource(partial(_open_again, text, options), reconnect)


def _check_characters(text: str) -> None:
    """Raise ``SourceError`` for characters that no path or address has."""
    try:
        os.fsencode(text)
        known = True
    except UnicodeEncodeError:
        known = False
    if "\0" in text:
        raise SourceError(f"{redact_address(text)} contains a zero byte", f"check the path, or name {_KINDS}")
    # the name of a file and the text of a pipeline may hold a line break
    breaks = any(ord(char) < ord(" ") or ord(char) == 0x7F for char in text)
    if not known or (breaks and not text.startswith("gst:") and not os.path.lexists(text)):
        raise SourceError(f"the source {redact_address(text)} holds a character that no path or address has", "remove it")


@dataclass(frozen=True, slots=True)
class _Options:
    """What all kinds of sources are opened with; see ``open_source``."""

    timeout: float
    paced: bool | None
    max_pixels: int | None

    @property
    def every(self) -> bool:
        """Whether no frame of an address is dropped."""
        return self.paced is False


def _open_again(text: str, options: _Options) -> Source:
    source = _open_live(text, options)
    assert source is not None, "the same address is opened by the same rules"
    return source


def _open_live(text: str, options: _Options) -> Source | None:
    if text.startswith("serial:"):
        from edgecnn.runtime.sources.signals import SerialLine

        return SerialLine(text, timeout=options.timeout)
    if text.startswith("scene:"):
        from edgecnn.runtime.sources.scene import SceneCamera

        return SceneCamera(text, paced=not options.every, timeout=options.timeout)
    if text == "-":
        from edgecnn.runtime.sources.stdin import StdinSource

        return StdinSource(live=bool(options.paced), timeout=options.timeout, max_pixels=options.max_pixels)
    # a folder or file that is called like a number is not a camera
    if (_CAMERA_NUMBER.match(text) and not _exists(text)) or _is_device(text):
        from edgecnn.runtime.sources.local_camera import LocalCamera

        return LocalCamera(text, timeout=options.timeout)
    if text.startswith(("gst:", "ffmpeg:")):
        return _open_string(text, options)
    return _open_address(text, options) if "://" in text else None


def _open_string(text: str, options: _Options) -> Source:
    from edgecnn.runtime.sources.opencv_string import GStreamerPipeline, open_ffmpeg_string

    kind, _, rest = expand_variables(text)[0].partition(":")
    if kind == "gst":
        return GStreamerPipeline(rest, timeout=options.timeout, live=not options.every)
    return open_ffmpeg_string(rest, timeout=options.timeout, every=options.every, max_pixels=options.max_pixels)


def _open_address(text: str, options: _Options) -> Source:
    from edgecnn.runtime.sources.network_stream import SCHEMES, NetworkStream

    scheme = text.partition("://")[0]
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise SourceError(f"{scheme}:// is not a known kind of address", f"use one of {known}, or write ffmpeg: before it")
    address, shown = expand_variables(text)
    kind: Callable[..., Source] = NetworkStream
    if scheme.startswith("http"):
        from edgecnn.runtime.sources.http_mjpeg import HttpCamera

        kind = HttpCamera
    return kind(address, shown=shown, timeout=options.timeout, every=options.every, max_pixels=options.max_pixels)


def _is_device(text: str) -> bool:
    """Whether the path is that of a camera, also of one that is not plugged in; files of /dev/shm are none."""
    return text.startswith("/dev/") and not os.path.isfile(text) and not os.path.isdir(text)  # noqa: PTH112, PTH113 - they take any text


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than a path may be
        return False


def _open_files(text: str, repeat: int, options: _Options) -> Source:
    from edgecnn.runtime.sources import image_patterns, images

    if SIGNAL_FILE.search(text):
        from edgecnn.runtime.sources.signals import SignalFile, split_address

        file, query = split_address(text)
        if file.is_file():
            return SignalFile(file, query, paced=bool(options.paced))
    if image_patterns.is_pattern(text):
        return image_patterns.open_pattern(text, repeat=repeat, max_pixels=options.max_pixels)
    path = Path(text)
    if text.lower().endswith((".npy", ".npz")) or path.is_dir():
        from edgecnn.runtime.sources import tensors

        if tensors.holds_tensors(path):
            return tensors.open_tensors(path, repeat)
    if path.is_dir():
        return images.open_folder(path, repeat=repeat, max_pixels=options.max_pixels)
    if not path.is_file():
        problem = "does not exist" if not path.exists() else "is neither a file nor a folder"
        raise SourceError(f"{redact_address(text)} {problem}", f"check the path, or name {_KINDS}")
    if not path.stat().st_size:
        raise SourceError(f"{path} is an empty file", "check or replace the file")
    if images.holds_image(path):
        return images.open_image(path, repeat=repeat, max_pixels=options.max_pixels)
    from edgecnn.runtime.sources.video import VideoFile

    return VideoFile(path, repeat=repeat, paced=bool(options.paced), timeout=options.timeout, max_pixels=options.max_pixels)
