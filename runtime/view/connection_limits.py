"""Limits the connections of uvicorn: their number, the time to send a request, the time to read a response."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 64
REQUEST_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0


class LimitedHttpProtocol(H11Protocol):  # type: ignore[misc, unused-ignore]
    """Closes a connection that exceeds the limit, sends its request too slowly, or reads its response too slowly."""

    def connection_made(self, transport: Any) -> None:
        """Check the number of connections and start the timer of the request."""
        super().connection_made(transport)
        self._request_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        # uvicorn has already added this connection.
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._request_timer = self.loop.call_later(REQUEST_TIMEOUT_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; the timer is not reset by each part."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self._request_complete()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_TIMEOUT_S, self.transport.abort)

    def on_response_complete(self) -> None:
        """Stop the timer of the request; uvicorn itself closes idle connections."""
        self._request_complete()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the timer of the response: the send buffer is full, because the client does not read."""
        super().pause_writing()
        self._read_timer = self._read_timer or self.loop.call_later(READ_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer of the response: the client reads again."""
        _cancel(self._read_timer)
        self._read_timer = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._request_complete()
        _cancel(self._read_timer)
        super().connection_lost(exc)

    def _request_complete(self) -> None:
        _cancel(self._request_timer)
        self._request_timer = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
