"""An HTTP camera that sends JPEG after JPEG (multipart/x-mixed-replace), read without buffering."""

from __future__ import annotations

import time
from collections.abc import Generator

from edgecnn.errors import MissingExtraError, SourceError
from edgecnn.runtime.sources.base import SilenceError
from edgecnn.runtime.sources.mjpeg_parser import JpegParser, decode
from edgecnn.runtime.sources.network_stream import NetworkStream
from edgecnn.types import Frame


class HttpCamera(NetworkStream):
    """The frames of an HTTP camera. Where several arrived at once the newest is given and the others are counted in ``missed``,
    unless ``every`` frame is wanted. FFmpeg reads what is not MJPEG: a playlist, a video file.

    An image with more than ``max_pixels`` (None: as of ``pixel_limit``) is counted as a failure and not decoded.
    Basic and Digest logins are answered, redirects followed. https:// verifies the certificate; https+insecure:// accepts any.
    Raises ``SourceError`` as ``NetworkStream`` does, also for data without an image for longer than the timeout, and
    ``MissingExtraError`` without httpx.
    """

    def __init__(
        self,
        address: str,
        *,
        shown: str | None = None,
        timeout: float = 5.0,
        every: bool = False,
        max_pixels: int | None = None,
    ) -> None:
        plain = address.replace("https+insecure://", "https://", 1)
        super().__init__(plain, shown=shown, timeout=timeout, every=every, max_pixels=max_pixels)
        if self.live:
            try:
                from edgecnn.runtime.sources.http_client import HttpStream
            except ModuleNotFoundError:
                raise MissingExtraError("httpx", "live") from None
            self._stream = HttpStream(self._address, self.name, timeout, verify=not address.startswith("https+insecure://"))

    def close(self) -> None:
        """Ask for the end, from any thread; a read that waits ends at once."""
        super().close()
        if self.live:
            self._stream.abort()

    def _frames(self) -> Generator[Frame, None, None]:
        if not self.live:  # a video file on a web server
            yield from super()._frames()
            return
        try:
            kind = self._stream.open()
            if kind.startswith("multipart/"):
                yield from self._mjpeg()
                return
            if kind.startswith("image/"):
                raise SourceError(f"{self.name} is a single image, not a stream", "name the path of the camera's video stream")
        finally:
            self._stream.close()
        yield from super()._frames()

    def _mjpeg(self) -> Generator[Frame, None, None]:
        parser, index, last = JpegParser(), 0, time.perf_counter()
        while not self._closed.is_set():
            data = self._read(index, last)
            now = time.perf_counter()
            broken = parser.broken
            jpegs = parser.feed(data)
            for _ in range(parser.broken - broken):
                self.fail("an image", "a JPEG that is cut off or too long")
            if not self._every and len(jpegs) > 1:
                self.missed += len(jpegs) - 1
                del jpegs[:-1]
            for jpeg in jpegs:
                image = decode(jpeg, self._max_pixels)
                if isinstance(image, str):
                    self.fail("an image", image)
                    continue
                yield Frame(index, now, image)
                index, last = index + 1, time.perf_counter()
            if now - last > self.timeout:
                reason = f" ({self.failures[-1].reason})" if self.failures else ""
                problem = f"{self.name}: data without an image for {now - last:.1f} s{reason}"
                raise SilenceError(problem, "check the camera and the path, then run again")

    def _read(self, frames: int, last: float) -> bytes:
        """What arrived; raises ``SourceError`` for the end and for silence."""
        try:
            data = self._stream.read()
        except TimeoutError:
            raise self._broken(frames, time.perf_counter() - last) from None
        if not data and not self._closed.is_set():
            raise self._broken(frames, 0.0)
        return data
