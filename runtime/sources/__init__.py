"""Where frames come from: images, folders, videos, cameras, addresses, pipes, the scene."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Failure, SilenceError, Source
from edgecnn.runtime.sources.reconnect import ReconnectingSource, ReconnectOptions
from edgecnn.runtime.sources.redact import expand_variables, redact_address

__all__ = ["Failure", "ReconnectOptions", "ReconnectingSource", "SilenceError", "Source", "open_source"]

KINDS = "an image, a folder of images, a video, a camera number, an rtsp:// or http:// address, or scene:cups"


def open_source(
    uri: str | int | Path,
    *,
    timeout: float = 5.0,
    repeat: int = 1,
    paced: bool | None = None,
    reconnect: ReconnectOptions | None = None,
) -> Source:
    """The source that ``uri`` names; its device is opened by whoever iterates it.

    ======================================  =============================================================================
    an image, a folder, a video             a path
    several images                          'images/*.jpg', 'day/**/*.png', frame_%04d.png
    a camera of this machine                0, /dev/video0, /dev/v4l/by-id/..., with options: 0?size=1280x720&fps=30&fourcc=MJPG
    RTSP                                    rtsp:// (over TCP), rtspu:// (over UDP), rtsps://
    HTTP                                    http://, https://, https+insecure:// (any certificate): MJPEG, or what FFmpeg reads
    standard input                          - : JPEGs (ffmpeg -f mjpeg -), or what FFmpeg reads
    OpenCV's own                            gst:PIPELINE ! appsink, ffmpeg:ANYTHING
    the built-in scene                      scene:cups
    ======================================  =============================================================================

    ``${NAME}`` in an address is filled in from the environment and never shown: so passwords stay out of files and process lists.
    ``timeout`` is how many seconds a frame may take. ``repeat`` plays files that many times over, 0 without end. ``paced`` makes a
    video, the scene or standard input behave like a live camera; None means the scene does and the others do not; False gives every
    frame of an address, also those that piled up on the way. With ``reconnect`` a camera or a live address is connected again when it
    breaks (see ``ReconnectingSource``); a file never is.
    Raises ``SourceError`` for what is not there, and ``ValueError`` for a timeout or repeat below its range.
    """
    if timeout <= 0 or repeat < 0:
        raise ValueError(f"wanted a timeout above 0 and repeat of 0 or more, found {timeout} and {repeat}: correct them")
    text = str(uri)
    live = _open_live(text, timeout, paced)
    if live is None:
        return _open_files(text, timeout, repeat, bool(paced))
    if repeat != 1:
        raise SourceError("a file to repeat", f"{live.name}, which never ends", "leave --repeat out")
    if reconnect is None or not live.live or text == "-" or text.startswith("scene:"):
        return live
    return ReconnectingSource(partial(_open_again, text, timeout, paced), reconnect)


def _open_again(text: str, timeout: float, paced: bool | None) -> Source:
    source = _open_live(text, timeout, paced)
    assert source is not None, "what was live once is live again"
    return source


def _open_live(text: str, timeout: float, paced: bool | None) -> Source | None:
    if text.startswith("scene:"):
        from edgecnn.runtime.sources.scene import SceneCamera

        return SceneCamera(text, paced=paced is not False, timeout=timeout)
    if text == "-":
        from edgecnn.runtime.sources.stdin import StdinSource

        return StdinSource(live=bool(paced), timeout=timeout)
    if text.partition("?")[0].isdecimal() or text.startswith("/dev/"):
        from edgecnn.runtime.sources.local_camera import Camera

        return Camera(text, timeout=timeout)
    if text.startswith(("gst:", "ffmpeg:")):
        return _open_string(text, timeout, paced)
    return _open_address(text, timeout, paced) if "://" in text else None


def _open_string(text: str, timeout: float, paced: bool | None) -> Source:
    from edgecnn.runtime.sources.opencv_string import GStreamer, open_ffmpeg_string

    kind, _, rest = expand_variables(text)[0].partition(":")
    if kind == "gst":
        return GStreamer(rest, timeout=timeout, live=paced is not False)
    return open_ffmpeg_string(rest, timeout=timeout, every=paced is False)


def _open_address(text: str, timeout: float, paced: bool | None) -> Source:
    from edgecnn.runtime.sources.network_stream import SCHEMES, Address

    scheme = text.partition("://")[0]
    if scheme not in SCHEMES:
        raise SourceError(f"an address of {', '.join(SCHEMES)}", f"{scheme}://", "name one of them, or write ffmpeg: before it")
    address, shown = expand_variables(text)
    if scheme.startswith("http"):
        from edgecnn.runtime.sources.http_mjpeg import HttpCamera

        return HttpCamera(address, shown=shown, timeout=timeout, every=paced is False)
    return Address(address, shown=shown, timeout=timeout, every=paced is False)


def _open_files(text: str, timeout: float, repeat: int, paced: bool) -> Source:
    from edgecnn.runtime.sources import image_patterns, images

    if image_patterns.is_pattern(text):
        return image_patterns.open_pattern(text, repeat=repeat)
    path = Path(text)
    if path.is_dir():
        return images.open_folder(path, repeat=repeat)
    if not path.is_file():
        found = "no such file or folder" if not path.exists() else "neither a file nor a folder"
        raise SourceError(f"a source at {redact_address(text)}: {KINDS}", found, "check the path")
    if not path.stat().st_size:
        raise SourceError(f"an image or a video at {path}", "an empty file", "check or replace the file")
    if path.suffix.lower() in images.SUFFIXES:
        return images.open_image(path, repeat=repeat)
    from edgecnn.runtime.sources.video import VideoFile

    return VideoFile(path, repeat=repeat, paced=paced, timeout=timeout)
