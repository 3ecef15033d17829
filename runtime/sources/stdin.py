"""Frames that another program pipes to standard input."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Generator, Iterator

from edgecnn.errors import SourceError
from edgecnn.images.header import UnreadableImage
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.mjpeg_parser import JpegParser, decode
from edgecnn.types import Frame
from edgecnn.videos.capture import open_file

_CHUNK_BYTES = 1 << 20
_POLL_S = 0.2
_FIX = "pipe frames in: ffmpeg -i INPUT -f mjpeg - | edgecnn run FILE --source -"


class StdinSource(Source):
    """Frames from file descriptor ``fd``: JPEG after JPEG, or any format that FFmpeg detects.

    Raw frames need a header: yuv4mpegpipe (YUV4MPEG2), or PPM images one after the other. With ``live`` the newest of several JPEGs
    in the pipe is taken and the others are counted in ``missed``; otherwise the sending program is made to wait. ``max_pixels`` is
    the most of an image, as of ``pixel_limit``.
    Raises ``SourceError`` for a terminal, silence and data that is no video.
    """

    def __init__(self, fd: int = 0, *, live: bool = False, timeout: float = 5.0, max_pixels: int | None = None) -> None:
        super().__init__("standard input", live=live, timeout=timeout)
        self._fd, self._max_pixels = fd, max_pixels

    def _frames(self) -> Generator[Frame, None, None]:
        if os.isatty(self._fd):
            raise SourceError("standard input is a terminal, not frames", _FIX)
        chunks = self._chunks()
        first = next(chunks, b"")
        if not first:
            if not self._closed.is_set():
                raise SourceError("standard input is empty", _FIX)
        elif first.startswith(b"\xff\xd8"):
            yield from self._jpegs(first, chunks)
        else:
            yield from self._video(first, chunks)

    def _chunks(self) -> Generator[bytes, None, None]:
        """What arrives, until the end. Raises ``SourceError`` for silence."""
        asked = time.perf_counter()
        while not self._closed.is_set():
            ready, _, _ = select.select([self._fd], [], [], _POLL_S)
            if ready:
                data = os.read(self._fd, _CHUNK_BYTES)
                if not data:
                    return
                yield data
                asked = time.perf_counter()
            elif time.perf_counter() - asked > self.timeout:
                problem = f"no data on standard input for {self.timeout:g} s"
                raise SilenceError(problem, "check the program that sends the frames")

    def _jpegs(self, first: bytes, chunks: Iterator[bytes]) -> Generator[Frame, None, None]:
        parser, index, data = JpegParser(), 0, first
        while data:
            captured_at, broken = time.perf_counter(), parser.broken
            jpegs = parser.feed(data)
            for _ in range(parser.broken - broken):
                self.fail("an image", "a JPEG that is cut off or too long")
            if self.live and len(jpegs) > 1:
                self.missed += len(jpegs) - 1
                del jpegs[:-1]
            for jpeg in jpegs:
                image = decode(jpeg, self._max_pixels)
                if isinstance(image, str):
                    self.fail("an image", image)
                else:
                    yield Frame(index, captured_at, image)
                    index += 1
            data = next(chunks, b"")

    # any other format

    def _video(self, first: bytes, chunks: Iterator[bytes]) -> Generator[Frame, None, None]:
        """Decoded by FFmpeg, through a second pipe: the first bytes were already read to see that they are no JPEG."""
        receiver, sender = os.pipe()
        feeder = threading.Thread(target=_feed, args=(sender, first, chunks), name="edgecnn-stdin", daemon=True)
        feeder.start()
        try:
            capture = open_file(
                f"{'/dev/fd' if sys.platform != 'linux' else '/proc/self/fd'}/{receiver}", self.timeout, self._max_pixels
            )
        except UnreadableImage as error:
            raise SourceError(f"{self.name}: {error}", "send smaller frames, or raise the limit") from None
        finally:
            os.close(receiver)
        if capture is None:
            raise SourceError("standard input holds no format that FFmpeg detects", _FIX)
        self.fps = capture.fps
        index = 0
        try:
            while capture.grab():
                captured_at = time.perf_counter()
                image = capture.retrieve()
                if image is not None:
                    yield Frame(index, captured_at, image, None if self.live else capture.time)
                    index += 1
        finally:
            capture.release()  # the feeder then fails to write, and ends


def _feed(sender: int, first: bytes, chunks: Iterator[bytes]) -> None:
    data: bytes | memoryview = first
    try:
        while data:
            data = data[os.write(sender, data) :] or next(chunks, b"")
    except (OSError, SourceError, ValueError):
        pass  # the decoder closed the pipe, or no data came: either way the video ends here
    finally:
        os.close(sender)
