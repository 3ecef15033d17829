"""Frames that another program pipes into standard input."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Generator, Iterator

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.mjpeg_parser import JpegParser, decode
from edgecnn.runtime.sources.opencv_capture import as_bgr, frame_rate, open_file
from edgecnn.types import Frame

_PORTION = 1 << 20
_LOOK_UP_S = 0.2
_DO = "pipe frames in: ffmpeg -i INPUT -f mjpeg - | edgecnn run FILE --source -"


class StdinSource(Source):
    """Frames on file descriptor ``fd``: JPEG after JPEG, cut apart here, or any format that FFmpeg finds out by itself.

    Raw frames need a header: yuv4mpegpipe (YUV4MPEG2), or PPM images one after the other. With ``live`` the newest of several JPEGs
    that wait is taken and the others are counted in ``missed``; otherwise the program that sends is made to wait.
    Raises ``SourceError`` for a terminal, silence and what is no video.
    """

    def __init__(self, fd: int = 0, *, live: bool = False, timeout: float = 5.0) -> None:
        super().__init__("standard input", live=live, timeout=timeout)
        self._fd = fd

    def _frames(self) -> Generator[Frame, None, None]:
        if os.isatty(self._fd):
            raise SourceError("frames on standard input", "a terminal", _DO)
        portions = self._portions()
        first = next(portions, b"")
        if not first:
            if not self._closed.is_set():
                raise SourceError("frames on standard input", "nothing", _DO)
        elif first.startswith(b"\xff\xd8"):
            yield from self._pictures(first, portions)
        else:
            yield from self._video(first, portions)

    def _portions(self) -> Generator[bytes, None, None]:
        """What arrives, to the end; raises ``SourceError`` for silence."""
        asked = time.perf_counter()
        while not self._closed.is_set():
            ready, _, _ = select.select([self._fd], [], [], _LOOK_UP_S)
            if ready:
                data = os.read(self._fd, _PORTION)
                if not data:
                    return
                yield data
                asked = time.perf_counter()
            elif time.perf_counter() - asked > self.timeout:
                raise SilenceError(
                    "a frame on standard input", f"none for {self.timeout:g} s", "check the program that sends them"
                )

    def _pictures(self, first: bytes, portions: Iterator[bytes]) -> Generator[Frame, None, None]:
        cutter, index, data = JpegParser(), 0, first
        while data:
            captured_at, broken = time.perf_counter(), cutter.broken
            pictures = cutter.feed(data)
            for _ in range(cutter.broken - broken):
                self.fail("a picture", "a JPEG that is cut off")
            if self.live and len(pictures) > 1:
                self.missed += len(pictures) - 1
                del pictures[:-1]
            for jpeg in pictures:
                image = decode(jpeg)
                if image is None:
                    self.fail("a picture", "a JPEG that can't be decoded")
                else:
                    yield Frame(index, captured_at, image)
                    index += 1
            data = next(portions, b"")

    # any other format

    def _video(self, first: bytes, portions: Iterator[bytes]) -> Generator[Frame, None, None]:
        """Through a pipe of our own, since FFmpeg wants the bytes again that told what this is not."""
        receiver, sender = os.pipe()
        feeder = threading.Thread(target=_feed, args=(sender, first, portions), name="edgecnn-stdin", daemon=True)
        feeder.start()
        try:
            capture = open_file(f"{'/dev/fd' if sys.platform != 'linux' else '/proc/self/fd'}/{receiver}", self.timeout)
        finally:
            os.close(receiver)
        if capture is None:
            raise SourceError("frames on standard input", "no video that FFmpeg knows", _DO)
        self.fps = frame_rate(capture)
        index = 0
        try:
            while capture.grab():
                captured_at = time.perf_counter()
                found, image = capture.retrieve()
                if found:
                    yield Frame(index, captured_at, as_bgr(image))
                    index += 1
        finally:
            capture.release()  # the feeder then finds nobody to write to, and ends


def _feed(sender: int, first: bytes, portions: Iterator[bytes]) -> None:
    data: bytes | memoryview = first
    try:
        while data:
            data = data[os.write(sender, data) :] or next(portions, b"")
    except (OSError, SourceError, ValueError):
        pass  # the reader left, or nothing came: either way the video ends here
    finally:
        os.close(sender)
