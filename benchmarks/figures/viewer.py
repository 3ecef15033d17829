"""Somebody who watches the page at a port of this machine, for ever: ``python -m edgecnn.benchmarks.figures.viewer PORT``."""

from __future__ import annotations

import http.client
import sys
import time


def look(port: int) -> None:
    """Ask for each picture as the page does, and for the numbers twice a second."""
    connection, number, asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10), 0, 0.0
    while True:
        connection.request("GET", f"/api/picture?camera=camera&after={number}")
        answer = connection.getresponse()
        number = int(answer.headers.get("x-picture", number))
        answer.read()
        if time.monotonic() - asked > 0.5:
            asked = time.monotonic()
            connection.request("GET", "/api/state?tick=999999999")
            connection.getresponse().read()


if __name__ == "__main__":
    look(int(sys.argv[1]))
