"""Opening videos and streams: by PyAV where the extra ``video`` is installed, else by OpenCV's own FFmpeg."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from edgecnn.types import Image


class VideoCapture(Protocol):
    """A video or stream that is read frame by frame, in one thread."""

    fps: float | None
    """Frames per second by the header; None where it says none or nonsense."""
    frame_count: int | None
    """Number of frames by the header, which may be wrong; None where it says none."""
    time: float | None
    """When the grabbed frame is shown, in seconds from the first one; None where the time stamps are not known."""

    def grab(self) -> bool:
        """Decode the next frame; False at the end, after an error, and where none comes within the timeout."""
        ...

    def retrieve(self) -> Image | None:
        """The grabbed frame as (H, W, 3) uint8 BGR; None where it can't be converted."""
        ...

    def missing(self) -> str | None:
        """At the end: how much less could be read than the header says, such as "its header says 20 frames, 9 could be read"."""
        ...

    def release(self) -> None:
        """Close it."""
        ...


def open_file(path: str, timeout: float, max_pixels: int | None = None, *, use_opencv: bool = False) -> VideoCapture | None:
    """Open a file or its address; None where FFmpeg can't, or not within ``timeout`` seconds.

    ``max_pixels`` is the most of a frame, as of ``pixel_limit``. Raises ``UnreadableImage`` where the header says more.
    """
    if use_opencv or find_spec("av") is None:
        from edgecnn.videos.opencv_capture import open_file as open_by_opencv

        return open_by_opencv(path, timeout, max_pixels)
    from edgecnn.videos.pyav_capture import open_video

    return open_video(path, timeout, max_pixels=max_pixels)


def open_stream(
    address: str, timeout: float, max_pixels: int | None = None, transport: str = "tcp", *, use_opencv: bool = False
) -> VideoCapture | None:
    """Open a live address so that it begins soon; None where FFmpeg can't, or not within ``timeout`` seconds.

    ``transport`` is how RTSP travels: "udp", or "tcp", which falls back to UDP where a camera has nothing else.
    Raises as ``open_file``.
    """
    if use_opencv or find_spec("av") is None:
        from edgecnn.videos.opencv_capture import open_stream as open_by_opencv

        return open_by_opencv(address, timeout, max_pixels, transport)
    from edgecnn.videos.pyav_capture import open_video, stream_options

    return open_video(address, timeout, stream_options(transport), max_pixels=max_pixels)
