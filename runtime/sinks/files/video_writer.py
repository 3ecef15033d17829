"""Encodes and muxes a video file with PyAV (FFmpeg), readable while it grows, after a kill and on a full disk.

===========  =========  =======  ===========================================================================================
suffix       container  codec    while it grows
===========  =========  =======  ===========================================================================================
.mp4         MP4        H.264    fragments (moof, mdat) of 0.4 s; at the end one index (moov) makes it an ordinary file
.mkv         Matroska   H.264    clusters of 0.4 s; at the end their index (Cues), the duration and the size
.webm        WebM       VP8      as .mkv
===========  =========  =======  ===========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.files import replace, temporary_path, write_error
from edgecnn.runtime.sinks.files.growing_file import GrowingFile
from edgecnn.types import Image

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_SMALLEST = 16  # pixels: a macroblock; encoders refuse less
_LARGEST = 16_382  # pixels on a side: what both x264 and VP8 take
TICKS_PER_S = 90_000  # the clock of MPEG; Matroska rounds to milliseconds
_BITS_PER_PIXEL = 0.5  # for encoders without a constant-quality mode, and the most for VP8
# FFmpeg keeps 73 bytes of a hybrid MP4 per frame for the index at its end, measured: 37 MB after 5.5 hours of 25 frames/s.
_MOST_FRAMES_OF_MP4 = 500_000

# One encoder thread each: the cores are for inference. "ultrafast" costs what the MPEG-4 encoder of OpenCV does (2 ms a frame at
# 768x432) and gives files of the same size; "zerolatency" holds no frame back.
_H264 = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "24"},
    "libopenh264": {},
}
_VP8 = {"libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "crf": "10"}}


@dataclass(frozen=True, slots=True)
class _Format:
    """FFmpeg's name of a container, its encoders by preference with their options, and the options of its muxer."""

    name: str
    encoders: dict[str, dict[str, str]]
    options: dict[str, str]


_CLUSTERS = {"cluster_time_limit": "400"}  # milliseconds
FORMATS = {
    ".mp4": _Format(
        "mp4", _H264, {"movflags": "+hybrid_fragmented+default_base_moof", "frag_duration": "400000"}
    ),  # microseconds
    ".mkv": _Format("matroska", _H264, _CLUSTERS),
    ".webm": _Format("webm", _VP8, _CLUSTERS),
}


def check_video_path(path: Path) -> None:
    """Raise ``InputError`` if no container has this suffix, and ``MissingExtraError`` without PyAV."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path.name} is not the name of a video", f"use one of {', '.join(FORMATS)}")
    check_video_extra()


def check_video_extra() -> None:
    """Raise ``MissingExtraError`` if PyAV is not installed."""
    from importlib.util import find_spec

    if find_spec("av") is None:
        raise MissingExtraError("av", "video")


class VideoWriter:
    """Writes images to ``path``; its suffix selects container and codec (see the module).

    The first image (H, W, 3) uint8 BGR determines the size; an odd size loses one column or row, because 4:2:0 chroma needs even
    sizes. Images of another size are scaled to fit. ``fps`` determines how long the last image is shown and the interval of key
    frames, about one second. An existing file is replaced when the first fragment is written. A full disk or a killed process
    loses at most the last 0.4 s. Raises ``InputError`` if the file can't be written, and ``MissingExtraError`` without PyAV.
    """

    def __init__(self, path: Path, first: Image, fps: float) -> None:
        check_video_path(path)
        height, width = first.shape[:2]
        self.path, self.fps = path, fps
        self.size = max(width - width % 2, _SMALLEST), max(height - height % 2, _SMALLEST)
        if max(self.size) > _LARGEST:
            problem = f"{path.name}: a video of {width:,} x {height:,} pixels can't be encoded, at most {_LARGEST:,} on a side"
            raise InputError(problem, "leave it out, or use smaller images")
        self.frames = 0
        self._format = FORMATS[path.suffix.lower()]
        self._last, self._closed, self._renamed = -1.0, False, False
        # A temporary name until the first fragment: a run that ends before that keeps the old file.
        self._part = temporary_path(path)
        self._container: OutputContainer | None = None
        self._header_end = 0  # bytes; 0 before the first packet
        try:
            self._file = GrowingFile(self._part)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            self._start()
        except BaseException:
            self._finish(keep=False)
            raise

    @property
    def seconds(self) -> float:
        """Time of the last image in seconds."""
        return max(self._last, 0.0)

    @property
    def full(self) -> bool:
        """Whether a new file should be started, because the index of this MP4 takes much memory."""
        return self._format.name == "mp4" and self.frames >= _MOST_FRAMES_OF_MP4

    def add(self, image: Image, at: float) -> None:
        """Add ``image``, shown from ``at`` seconds on; times increase by at least 1 ms."""
        self._raise()
        self._last = max(at, self._last + 1e-3) if self._last >= 0 else max(at, 0.0)
        self._encode(self._converted(fitted(image, self.size)))
        self._raise()
        self.frames += 1

    def close(self) -> None:
        """Finish the file. Raises ``InputError`` if it is not complete; its complete fragments can be read."""
        if self._closed:
            return
        self._closed = True
        if self.frames:
            self._encode(None)
        self._finish(keep=self.frames > 0)
        self._raise()

    def _start(self) -> None:
        import av

        name = next((name for name in self._format.encoders if name in av.codecs_available), None)
        if name is None:
            wanted = ", ".join(self._format.encoders)
            raise InputError(
                f"this build of PyAV has no encoder for {self.path.suffix} ({wanted})", "pip install av, or try .webm"
            )
        # flush_packets: after mux() nothing waits in a buffer of FFmpeg's, so the file then ends in a whole fragment
        options = {**self._format.options, "flush_packets": "1"}
        self._container = av.open(self._file, "w", format=self._format.name, options=options)
        self._stream = self._add_stream(self._container, name)

    def _add_stream(self, container: OutputContainer, codec: str) -> VideoStream:
        # 1001 keeps the rates of NTSC exact, such as 30000/1001.
        rate = Fraction(self.fps).limit_denominator(1001)
        stream: VideoStream = container.add_stream(codec, rate=rate, options=dict(self._format.encoders[codec]))  # type: ignore[assignment]
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.bit_rate = round(self.size[0] * self.size[1] * self.fps * _BITS_PER_PIXEL)
        context = stream.codec_context
        context.gop_size = max(round(self.fps), 1)
        context.time_base = Fraction(1, TICKS_PER_S)
        # ITU-T H.273: the matrix of BT.601 (6), by which OpenCV converts and reads, primaries and transfer of BT.709 (1), limited range
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 6, 1, 1, 1
        return stream

    def _converted(self, image: Image) -> VideoFrame:
        from av import VideoFrame

        # by OpenCV, in a sixth of the time that FFmpeg's swscale takes; planes one below the other: Y (H, W), U, V (H/2, W/2)
        planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        frame = VideoFrame.from_numpy_buffer(np.asarray(planes, np.uint8), "yuv420p")
        frame.pts, frame.time_base = round(self._last * TICKS_PER_S), Fraction(1, TICKS_PER_S)
        return frame

    def _encode(self, frame: VideoFrame | None) -> None:
        """Encode and mux one frame; None flushes the encoder."""
        from av import FFmpegError

        assert self._container is not None
        try:
            for packet in self._stream.encode(frame):
                packet.duration = round(TICKS_PER_S / self.fps)
                self._container.mux(packet)  # writes the header before the first one
                self._header_end = self._header_end or self._file.end
        except FFmpegError as error:
            self._fail(error)
        self._file.mark_whole()
        if self._file.whole > self._header_end:
            self._rename()

    def _finish(self, *, keep: bool) -> None:
        """Write the trailer and close the file, which ignores the trailer after an error."""
        from av import FFmpegError

        try:
            if self._container is not None:
                self._container.close()
        except FFmpegError as error:
            self._fail(error)
        self._file.close()
        if keep and self._file.error is None:
            self._rename()
        if not self._renamed:
            self._part.unlink(missing_ok=True)

    def _rename(self) -> None:
        if not self._renamed:
            try:
                replace(self._part, self.path)
                self._renamed = True
            except OSError as error:
                self._file.error = self._file.error or error

    def _fail(self, error: Exception) -> None:
        self._file.error = self._file.error or OSError(0, str(error))

    def _raise(self) -> None:
        if self._file.error is not None:
            raise write_error(self.path, self._file.error)


def fitted(image: Image, size: tuple[int, int]) -> Image:
    """Fit an image into ``size`` (width, height): crop by at most one pixel, else scale with black bars."""
    width, height = size
    if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
        return np.ascontiguousarray(image[:height, :width])
    ratio = min(width / image.shape[1], height / image.shape[0])
    new_w, new_h = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
    canvas = np.zeros((height, width, 3), np.uint8)
    x, y = (width - new_w) // 2, (height - new_h) // 2
    canvas[y : y + new_h, x : x + new_w] = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA)
    return canvas
