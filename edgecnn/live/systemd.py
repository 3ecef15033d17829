"""Tells systemd that a service is ready, alive and about to stop: sd_notify(3), by the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import os
import time
from contextlib import suppress


class Notifier:
    """Says it where the service manager listens, and nothing anywhere else. ``alive`` may be called as often as one likes."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        every = os.environ.get("WATCHDOG_USEC", "")
        self._every = int(every) / 1e6 / 3 if every.isdecimal() else None
        self._last = 0.0

    def ready(self) -> None:
        """The run has begun."""
        self._say("READY=1")

    def alive(self) -> None:
        """Frames still come through, or are waited for in an orderly way: feeds the watchdog where there is one."""
        now = time.monotonic()
        if self._every is not None and now - self._last >= self._every:
            self._last = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The outputs are being finished."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        import socket  # only a service needs it

        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(1.0)
            out.sendto(text.encode(), address)
