"""Sends events by HTTP POST.

The body is one event as in JSON lines. ``X-Edgecnn-Delivery`` is the same if an event is sent again. With a secret,
``X-Edgecnn-Signature`` is "sha256=" and the HMAC-SHA256 of the body in hex digits, as in GitHub's webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from collections.abc import Collection
from contextlib import suppress

import edgecnn
from edgecnn.errors import InputError
from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.files.json_lines import as_line
from edgecnn.runtime.sinks.network.endpoint import encoded, parse_endpoint
from edgecnn.runtime.sinks.records import SCHEMA_VERSION, event_record
from edgecnn.runtime.sources.redact import redact_address
from edgecnn.types import Event, Result

SECRET = "EDGECNN_WEBHOOK_SECRET"
_PORTS = {"http": 80, "https": 443}
_RETRY_STATUS = (408, 425, 429)


class WebhookSink:
    """Posts each event of ``kinds`` (None: all) to ``url`` within ``timeout`` seconds; redirects are not followed.

    Raises ``UnreachableError``, after which the event may be sent again, if there is no response in time or its status is 408,
    425, 429 or 5xx, and ``InputError`` for any other status except 2xx.
    """

    def __init__(
        self, url: str, *, secret: str | None = None, kinds: Collection[str] | None = None, timeout: float = 5.0
    ) -> None:
        self._parts = parse_endpoint(url, _PORTS, "https://host/path")
        self.name = redact_address(url)
        self._target = encoded((self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else ""))
        self._secret, self._kinds, self._timeout = secret, kinds, timeout
        self._last: tuple[Event, bytes] | None = None

    def write(self, result: Result) -> None:
        """Do nothing: ``write_event`` gets the events of a result, too."""

    def write_event(self, event: Event) -> None:
        """Post one event."""
        if self._kinds is not None and event.kind not in self._kinds:
            return
        if self._last is None or self._last[0] is not event:  # its body is made once: the time in it would differ when sent again
            self._last = event, as_line({"version": SCHEMA_VERSION, **event_record(event)})[:-1].encode()
        status, location = self._post(self._last[1])
        if status >= 500 or status in _RETRY_STATUS:
            raise UnreachableError(f"{self.name} answers with status {status}", "check the server")
        if 300 <= status < 400:
            raise InputError(f"{self.name} redirects to {redact_address(location)}", "give that address, if you trust it")
        if not 200 <= status < 300:
            raise InputError(f"{self.name} answers with status {status}", "check the address and the server")

    def close(self) -> None:
        """Do nothing: no connection is kept open between two events."""

    def _post(self, body: bytes) -> tuple[int, str]:
        connection = self._connection()
        deadline = threading.Timer(self._timeout, _shut_down, (connection,))
        deadline.daemon = True
        try:
            connection.connect()
            # connect() has the timeout of the socket; the timer limits the rest, since _shut_down needs a socket.
            deadline.start()
            connection.request("POST", self._target, body, self._headers(body))
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location") or ""
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{self.name}: {_reason(error)}", "check the address and the network") from error
        finally:
            deadline.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port or _PORTS[self._parts.scheme]
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=ssl.create_default_context())

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edgecnn/{edgecnn.__version__}",
            # The body of a repeated event is the same, and so is its hash: receivers can drop duplicates.
            "X-Edgecnn-Delivery": hashlib.sha256(body).hexdigest()[:32],
        }
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Edgecnn-Signature"] = f"sha256={digest}"
        return headers


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Abort the whole request; the timeout of a socket starts again with each byte that arrives."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).lower().split())
