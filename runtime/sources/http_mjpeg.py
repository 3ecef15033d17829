"""An HTTP camera that sends JPEG after JPEG (multipart/x-mixed-replace), read without a buffer between."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Generator
from urllib.parse import urlsplit

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError
from edgecnn.runtime.sources.diagnosis import by_status, unreachable
from edgecnn.runtime.sources.http_request import StatusError, WebRequest
from edgecnn.runtime.sources.mjpeg_parser import JpegParser, decode
from edgecnn.runtime.sources.network_stream import Address
from edgecnn.types import Frame

_PORTION = 1 << 20
_HTTP_ERRORS = (OSError, ValueError, http.client.HTTPException)


class HttpCamera(Address):
    """The pictures of an HTTP camera, newest first where several arrived at once; what is no MJPEG (a playlist, a film) FFmpeg reads.

    User and password may be asked for as Basic or Digest. Certificates of https are checked; https+insecure:// takes any.
    Raises ``SourceError`` as ``Address`` does, also for data that holds no picture for longer than the timeout.
    """

    def __init__(self, address: str, *, shown: str | None = None, timeout: float = 5.0, every: bool = False) -> None:
        super().__init__(address.replace("https+insecure://", "https://", 1), shown=shown, timeout=timeout, every=every)
        self._request = WebRequest(self._address, timeout, checked=not address.startswith("https+insecure://"))

    def close(self) -> None:
        """Ask for the end, from any thread; a read that waits ends at once."""
        super().close()
        self._request.wake()

    def _frames(self) -> Generator[Frame, None, None]:
        if not self.live:
            yield from super()._frames()
            return
        response = self._ask()
        try:
            if response.headers.get_content_maintype() == "multipart":
                yield from self._pictures(response)
                return
            if response.headers.get_content_type().startswith("image/"):
                raise SourceError(f"a stream at {self.name}", "one still picture", "name the address of its video stream")
        finally:
            self._request.close()
        yield from super()._frames()

    def _pictures(self, response: http.client.HTTPResponse) -> Generator[Frame, None, None]:
        cutter, index, last = JpegParser(), 0, time.perf_counter()
        while not self._closed.is_set():
            data = self._read(response, index, last)
            now = time.perf_counter()
            broken = cutter.broken
            pictures = cutter.feed(data)
            self._count_broken(cutter.broken - broken)
            if not self._every and len(pictures) > 1:
                self.missed += len(pictures) - 1
                del pictures[:-1]
            for jpeg in pictures:
                image = decode(jpeg)
                if image is None:
                    self._count_broken(1)
                    continue
                yield Frame(index, now, image)
                index, last = index + 1, time.perf_counter()
            if not pictures and now - last > self.timeout:
                raise SilenceError(self._wanted, f"data without a picture for {now - last:.1f} s", self._do)

    def _count_broken(self, count: int) -> None:
        for _ in range(count):
            self.fail("a picture", "a JPEG that is cut off or can't be decoded")

    def _read(self, response: http.client.HTTPResponse, frames: int, last: float) -> bytes:
        """What arrived; raises ``SourceError`` for the end and for silence."""
        try:
            data = response.read1(_PORTION)
        except TimeoutError:
            raise self._broken(frames, time.perf_counter() - last) from None
        except _HTTP_ERRORS:
            data = b""
        if not data and not self._closed.is_set():
            raise self._broken(frames, 0.0)
        return data

    @property
    def _wanted(self) -> str:
        return f"a frame from {self.name}"

    _do = "check the camera and the network, then run again"

    # asking

    def _ask(self) -> http.client.HTTPResponse:
        wanted = f"a stream at {self.name}"
        try:
            return self._request.open()
        except StatusError as error:
            self._request.close()
            raise SourceError(wanted, *by_status(error.status, self._address)) from None
        except _HTTP_ERRORS as error:
            self._request.close()
            raise self._refused(wanted, error) from None

    def _refused(self, wanted: str, error: Exception) -> SourceError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceError(wanted, "a certificate that nobody vouches for", "write https+insecure:// to take it as it is")
        if isinstance(error, TimeoutError) and self._request.connected:
            do = "check the camera, or give it longer with --timeout"
            return SilenceError(wanted, f"it answers, but sends no frame within {self.timeout:g} s", do)
        if isinstance(error, OSError):
            return SourceError(wanted, *unreachable(*_place(self._address), self.timeout, error))
        return SourceError(wanted, "an answer that is not HTTP", "check the address")


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    try:
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return parts.hostname or "", 0
