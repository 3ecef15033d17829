"""Notifies systemd that a service is ready, alive or stopping, by the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import time
from contextlib import suppress


class Notifier:
    """Sends notifications to the socket in NOTIFY_SOCKET, if that is set; ``alive`` limits its own rate."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        every = os.environ.get("WATCHDOG_USEC", "")
        # WATCHDOG_USEC is in microseconds; a third of it leaves room for a late or lost notification
        self._every = int(every) / 1e6 / 3 if every.isdecimal() else None
        self._last = 0.0

    def ready(self) -> None:
        """Notify that the run has started."""
        self._say("READY=1")

    def alive(self) -> None:
        """Reset the watchdog, if there is one."""
        now = time.monotonic()
        if self._every is not None and now - self._last >= self._every:
            self._last = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Notify that the run ends and the outputs are being finished."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        import socket  # imported late: only a service needs it

        # "@" stands for the leading NUL of an abstract socket name (unix(7))
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A lost notification must not end the run; the timeout prevents blocking on a full socket buffer.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(1.0)
            out.sendto(text.encode(), address)
