"""uvicorn's HTTP protocol with a bound on everything that a client could hold: connections, the time to ask, the time to read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
ASK_WITHIN_S = 10.0
READ_WITHIN_S = 20.0


class LimitedHttpProtocol(H11Protocol):  # type: ignore[misc, unused-ignore]
    """Closes a connection that is one too many, does not finish its request headers in time, or does not read its answer in time."""

    def connection_made(self, transport: Any) -> None:
        """Count the connection; the request has to come soon."""
        super().connection_made(transport)
        self._asking: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._asking = self.loop.call_later(ASK_WITHIN_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes alone are not enough: the clock runs until a whole request is there."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self._heard()
        elif self._asking is None:
            self._asking = self.loop.call_later(ASK_WITHIN_S, self.transport.abort)

    def on_response_complete(self) -> None:
        """From here on uvicorn's own clock for idle connections runs."""
        self._heard()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read: give it a while."""
        super().pause_writing()
        self._reading = self._reading or self.loop.call_later(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        _cancel(self._reading)
        self._reading = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is to be waited for any more."""
        self._heard()
        _cancel(self._reading)
        super().connection_lost(exc)

    def _heard(self) -> None:
        _cancel(self._asking)
        self._asking = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
