"""Reading videos and streams with PyAV (FFmpeg): their own time stamps, edit lists, rotation, sizes that change."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from fractions import Fraction

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from edgecnn.images.header import UnreadableImage
from edgecnn.images.reader import check_size, pixel_limit
from edgecnn.types import Image
from edgecnn.videos.media_clock import MediaClock
from edgecnn.videos.opencv_capture import USERS_OPTIONS

_RTSP = {"tcp": {"rtsp_flags": "prefer_tcp"}, "udp": {"rtsp_transport": "udp"}}
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
_TEXT = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # FFmpeg draws the letters of a text file as a video
_USUAL_FPS = 30.0
_HIGHEST_GUESS = 120  # FFmpeg's guess for time stamps of no common rate is their resolution, such as 1000 or 90,000
_LENGTH = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")  # as Matroska's tag DURATION of a stream


def stream_options(transport: str) -> dict[str, str]:
    """FFmpeg's options for a live address; ``transport`` is "tcp" or "udp".

    ``fpsprobesize`` 0 spares the 20 frames that FFmpeg would watch to learn the frame rate. FFmpeg's ``nobuffer`` is not used: it
    throws the first key frame away, and a camera that sends the next one after ten seconds stays dark so long.
    """
    if USERS_OPTIONS is not None:  # "name;value|name;value": what users set for OpenCV holds here as well
        return dict(pair.split(";", 1) for pair in USERS_OPTIONS.split("|") if ";" in pair)
    return {**_RTSP[transport], "fpsprobesize": "0"}


def open_video(
    target: str, timeout: float, options: Mapping[str, str] | None = None, *, max_pixels: int | None = None
) -> PyAvCapture | None:
    """Open a file or an address; None where FFmpeg can't, not within ``timeout`` seconds, or where it holds no video.

    Raises ``UnreadableImage`` where a frame has more than ``max_pixels``, as of ``pixel_limit``.
    """
    try:
        container = av.open(
            target, "r", container_options=dict(options or {}), timeout=(timeout, timeout), metadata_errors="replace"
        )
    except (av.FFmpegError, ValueError, UnicodeError):  # the text may hold the address
        return None
    stream = container.streams.best("video")
    # a stream of a codec that FFmpeg does not know has no codec context
    known = isinstance(stream, VideoStream) and stream.codec_context is not None and stream.codec_context.width
    if not isinstance(stream, VideoStream) or not known or container.format.name in _TEXT:
        container.close()
        return None
    try:
        check_size(stream.codec_context.width, stream.codec_context.height, max_pixels)
    except UnreadableImage:
        container.close()
        raise
    # for a size that changes later; the decoder then refuses the frame
    stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(pixel_limit(max_pixels))}
    return PyAvCapture(container, stream)


class PyAvCapture:
    """A ``VideoCapture`` by PyAV.

    One decoding thread: FFmpeg holds back one frame per further thread, which is delay on a live stream, and on a file takes the
    cores that inference needs.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        stream.thread_count, stream.thread_type = 1, "NONE"
        self._container, self._stream = container, stream
        # the average of a variable rate is far below the rate at which its frames follow each other
        self.fps = _sensible(stream.guessed_rate, _HIGHEST_GUESS) or _sensible(stream.average_rate)
        self.frame_count = stream.frames or self._frames_by_length()
        self.time: float | None = None
        self._clock = MediaClock()
        self._end = 0.0  # when the last frame is over, in seconds from the start that the header gives
        self._read = self._discarded = 0
        self._frame: av.VideoFrame | None = None
        self._frames = self._decoded()
        self._reformatter = VideoReformatter()
        _recycle_frame_buffers(stream.codec_context.width * stream.codec_context.height * 3)

    def grab(self) -> bool:
        """Decode the next frame; False at the end, after an error, and where none comes within the timeout."""
        try:
            self._frame = next(self._frames, None)
        except av.FFmpegError:  # a timeout among them
            self._frame = None
        if self._frame is None:
            return False
        self._read += 1
        self._take_time(self._frame)
        return True

    def retrieve(self) -> Image | None:
        """The grabbed frame as (H, W, 3) uint8 BGR, turned as its display matrix says; its size may differ from the one before."""
        frame = self._frame
        if frame is None:
            return None
        try:
            converted = self._reformatter.reformat(frame, format="bgr24", interpolation=Interpolation.BICUBIC, threads=1)
        except av.FFmpegError:
            return None
        image = np.asarray(converted.to_ndarray(), np.uint8)  # a view of the converted frame where its rows have no padding
        turn = _TURNS.get(frame.rotation % 360)
        return image if turn is None else np.asarray(cv2.rotate(image, turn), np.uint8)

    def missing(self) -> str | None:
        """At the end: how much less could be read than the header says."""
        late = self._end + 1.5 / (self.fps or _USUAL_FPS)
        if self._stream.frames:
            stated = self._stream.frames - self._discarded  # an MP4 counts what its edit list leaves out
            # an AVI counts frames that were dropped when it was recorded, too: its time base is the time of one
            slots = late / float(self._stream.time_base or 1) if self._container.format.name == "avi" else 0.0
            return (
                None if max(self._read, slots) >= stated - 1 else f"its header says {stated} frames, {self._read} could be read"
            )
        seconds = self._seconds()
        if seconds is None or late >= seconds:
            return None
        return f"its header says {seconds:.1f} s, {self._end:.1f} s could be read"

    def release(self) -> None:
        """Close it."""
        self._frame = None
        self._frames.close()
        self._container.close()

    def _decoded(self) -> Generator[av.VideoFrame, None, None]:
        for packet in self._container.demux(self._stream):
            self._discarded += packet.is_discard
            try:
                frames = packet.decode()
            except av.FFmpegError:  # a broken packet; the next one may be whole
                continue
            yield from frames

    def _take_time(self, frame: av.VideoFrame) -> None:
        base = frame.time_base or self._stream.time_base
        period = float(frame.duration * base) if frame.duration and base else 1 / (self.fps or _USUAL_FPS)
        stamp = None if frame.pts is None or base is None else float(frame.pts * base)
        self.time = self._clock.time(stamp, period)
        self._end = self._clock.end if stamp is None else max(stamp + period - self._start(), self._end)

    def _start(self) -> float:
        """The first time stamp by the header, in seconds."""
        base = self._stream.time_base
        return float((self._stream.start_time or 0) * base) if base else 0.0

    def _frames_by_length(self) -> int | None:
        seconds = self._seconds()
        return None if seconds is None or self.fps is None else round(seconds * self.fps)

    def _seconds(self) -> float | None:
        """How long the stream lasts by the header."""
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        # Matroska counts from 0, not from the first frame
        length = _LENGTH.fullmatch(self._stream.metadata.get("DURATION", ""))
        if length is not None:
            return int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) - self._start()
        # the length of the file is that of its longest stream
        if len(self._container.streams) > 1 or not self._container.duration:
            return None
        return float(self._container.duration / av.time_base) - (
            self._start() if "matroska" in self._container.format.name else 0.0
        )


def _sensible(rate: Fraction | None, most: int = 1000) -> float | None:
    return float(rate) if rate and 0 < rate <= most else None


def _recycle_frame_buffers(size: int) -> None:
    """Let the C library reuse the memory of frames of ``size`` bytes.

    glibc maps large blocks one by one and gives them back at once, so that each frame costs a page fault per 4 kB: half a
    millisecond at 768x432, as long as decoding it. It stops to do so below the size of the largest block that was ever freed; but
    FFmpeg's aligned blocks always ask for a little more than that. One block of twice the size, freed here, lifts the limit.
    """
    np.empty(2 * size, np.uint8)
