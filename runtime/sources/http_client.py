"""The HTTP connection to a camera, by httpx: login, redirects, and a read that another thread can end."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import SilenceError
from edgecnn.runtime.sources.diagnosis import explain_connection_error, explain_status
from edgecnn.runtime.sources.redact import redact_address

MAX_REDIRECTS = 5
_MAX_BURST_BYTES = 1 << 20
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "edgecnn"}
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
_UNUSABLE_CHALLENGE = (httpx.ProtocolError, KeyError, ValueError, NotImplementedError)


class HttpStream:
    """The body of a GET of ``address``, an http or https address with or without USER:PASSWORD@, read as it arrives.

    ``name`` is the address without secrets, for messages. ``verify`` says whether the certificate of https must be valid.
    """

    def __init__(self, address: str, name: str, timeout_s: float, *, verify: bool = True) -> None:
        self._address, self._name, self._timeout_s, self._verify = address, name, timeout_s, verify
        self._client: httpx.Client | None = None
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._socket: socket.socket | None = None
        self._aborted = False

    def open(self) -> str:
        """Send the request and return the content type of the answer, in lower case.

        Raises ``SourceError`` for any answer but 200, ``SilenceError`` where none came within the timeout.
        """
        try:
            url = httpx.URL(self._address)
            login = _Login(url)
            self._response = self._send(url.copy_with(username="", password=""), login)
        except httpx.TooManyRedirects:
            raise SourceError(f"{self._name}: more than {MAX_REDIRECTS} redirects", "check the path") from None
        except httpx.InvalidURL:
            raise SourceError(f"{self._name} is not a valid address", "write it as http://USER:PASSWORD@HOST:PORT/PATH") from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise self._explained(error) from None
        status = self._response.status_code
        if status == 401 and login.unsupported:
            problem = f"{self._name}: login by {login.unsupported} is not supported"
            raise SourceError(problem, "set the camera to Basic or Digest authentication")
        if status != 200:
            problem, fix = explain_status(status, has_login=login.given)
            raise SourceError(f"{self._name}: {problem}", fix)
        self._chunks = self._response.iter_raw()
        return str(self._response.headers.get("content-type", "")).partition(";")[0].strip().lower()

    def read(self) -> bytes:
        """All that has arrived, as soon as there is anything; b"" after the end. Raises ``TimeoutError``."""
        chunk = self._next_chunk()
        chunks, size = [chunk], len(chunk)
        # httpx reads 64 KiB at a time. A slow consumer has megabytes waiting in the socket, and the newest image is at their end.
        while chunk and size < _MAX_BURST_BYTES and self._is_readable():
            try:
                chunk = self._next_chunk()
            except TimeoutError:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)

    def abort(self) -> None:
        """Shut the connection down, from any thread: a read that waits ends at once."""
        self._aborted = True
        if self._socket is not None:
            # not SSLSocket.shutdown, which would take the TLS state away from the thread that is reading
            with suppress(OSError, ValueError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, in the thread that reads."""
        self._socket = None
        if self._response is not None:
            self._response.close()
        if self._client is not None:
            self._client.close()

    def _send(self, url: httpx.URL, login: _Login) -> httpx.Response:
        context = ssl.create_default_context()  # the certificates of the system, where an administrator adds the camera's own
        if not self._verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # trust_env=False: cameras are on the local network, where a proxy set for downloads (HTTP_PROXY) can't reach them, and
        # their login is in the address, not in ~/.netrc
        self._client = httpx.Client(
            transport=_HeadersOnlyOnError(verify=context, trust_env=False),
            trust_env=False,
            headers=_HEADERS,
            timeout=self._timeout_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
        )
        request = self._client.build_request("GET", url, extensions={"trace": self._trace})
        return self._client.send(request, stream=True, auth=login)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the socket of a new connection; httpx tells of it only here while it waits for an answer."""
        if event in _CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self._aborted:  # by another thread while connecting
                self.abort()

    def _next_chunk(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except httpx.TimeoutException:
            raise TimeoutError from None
        except (httpx.HTTPError, OSError, ValueError):
            return b""

    def _is_readable(self) -> bool:
        assert self._response is not None
        return bool(self._response.extensions["network_stream"].get_extra_info("is_readable"))

    def _explained(self, error: Exception) -> SourceError:
        """The error as a user can act on it; httpx keeps the error of the operating system in its chain of causes."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            problem, fix = "its certificate can't be verified", "write https+insecure:// to accept any certificate"
        elif isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            problem = f"{self._name}: it accepts the connection, but sends no frame within {self._timeout_s:g} s"
            return SilenceError(problem, "check the camera, or raise --timeout")
        elif cause is not None:
            problem, fix = explain_connection_error(*_host_and_port(self._address), self._timeout_s, cause)
        else:
            problem, fix = "it gives no valid HTTP answer", "check the address and the port"
        return SourceError(f"{self._name}: {problem}", fix)


class _Login(httpx.Auth):
    """Answers the camera's challenge with the user and password of ``url``, which go to its origin alone.

    httpx has Basic and Digest (RFC 7616: MD5, SHA-256, with and without qop), but must know which beforehand; here the challenge
    decides.
    """

    def __init__(self, url: httpx.URL) -> None:
        self._origin = url
        self.given = bool(url.userinfo)
        self._user, self._password = url.username, url.password
        self.unsupported = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One attempt for each address that asks, since a redirect within the camera leads to another challenge."""
        response = yield request
        attempted: set[httpx.URL] = set()
        while self.given and response.status_code == 401 and response.request.url not in attempted:
            # response.request is the one that was asked last, after redirects; httpx's own logins answer the first one
            if not _may_have_login(self._origin, response.request.url):
                return
            attempted.add(response.request.url)
            answer = self._answer(response)
            if answer is None:
                return
            response = yield answer

    def _answer(self, response: httpx.Response) -> httpx.Request | None:
        """The request with a login for the first challenge that is understood, Digest before Basic; None where there is none."""
        request, challenges = response.request, response.headers.get_list("www-authenticate")
        for challenge in challenges:
            if challenge.lower().startswith("digest "):
                flow = httpx.DigestAuth(self._user, self._password).auth_flow(request)
                next(flow)
                with suppress(*_UNUSABLE_CHALLENGE):
                    return flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=request))
        if any(challenge.lower().startswith("basic") for challenge in challenges):
            return next(httpx.BasicAuth(self._user, self._password).auth_flow(request))
        self.unsupported = ", ".join(challenge.partition(" ")[0] for challenge in challenges if challenge.strip())
        return None


class _HeadersOnlyOnError(httpx.HTTPTransport):
    """Drops the body of redirects, challenges and errors: httpx would read it to the end, however long it is."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; its body is only kept where the status is 200."""
        response = super().handle_request(request)
        if response.status_code == 200:
            return response
        response.close()
        return httpx.Response(response.status_code, headers=response.headers)


def _may_have_login(origin: httpx.URL, url: httpx.URL) -> bool:
    """Whether ``url`` is of the same origin, or the https side of the same host on the usual ports."""
    if origin.host != url.host:
        return False
    here, there = (origin.scheme, origin.port), (url.scheme, url.port)
    return here == there or (here, there) == (("http", None), ("https", None))


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return "the host", 0
    return url.host, url.port or (443 if url.scheme == "https" else 80)


def _redact_log(record: logging.LogRecord) -> bool:
    """httpx logs the address of each request at level INFO, with whatever key or password is in it."""
    if isinstance(record.args, tuple):
        record.args = tuple(redact_address(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True


logging.getLogger("httpx").addFilter(_redact_log)
