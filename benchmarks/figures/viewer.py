"""A viewer of the live page on a local port, running until it is killed: ``python -m edgecnn.benchmarks.figures.viewer PORT``."""

from __future__ import annotations

import http.client
import sys
import time


def view(port: int) -> None:
    """Request each frame as the page does, and the statistics twice a second."""
    connection, number, requested_at = http.client.HTTPConnection("127.0.0.1", port, timeout=10), 0, 0.0
    while True:
        connection.request("GET", f"/api/frame?camera=camera&after={number}")
        response = connection.getresponse()
        number = int(response.headers.get("x-frame-number", number))
        response.read()
        if time.monotonic() - requested_at > 0.5:
            requested_at = time.monotonic()
            connection.request("GET", "/api/state?tick=999999999")
            connection.getresponse().read()


if __name__ == "__main__":
    view(int(sys.argv[1]))
