"""Viewers of the page of a run that are slow, never end or are too many."""

from __future__ import annotations

import socket
import threading
import time

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from edgecnn.runtime.view import connection_limits
from tests.runtime.pipeline.harness import wait_until
from tests.runtime.view.harness import SilentSource, Watching, watching
from tests.runtime.watchdog import finishes


def test_a_viewer_that_never_reads_slows_nothing_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "READ_TIMEOUT_S", 1.0)
    with watching() as run, socket.socket() as lazy:
        run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > 5)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", run.port))
        lazy.settimeout(10)
        with pytest.raises(OSError, match=r"reset|broken"):  # noqa: PT012
            for _ in range(300):  # more than the buffers of two sockets hold
                lazy.sendall(b"GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n")
            before = run.results
            assert run.ask("/api/frame?camera=door")[0] == 200
            run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > before + 5)
            for _ in range(100):
                lazy.sendall(b"x")
                time.sleep(0.1)


@pytest.mark.parametrize(
    ("sent", "keep_alive"),
    [
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"GET / HT", False, id="half a line"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", False, id="half"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", True, id="half of the second request"),
    ],
)
def test_a_client_that_does_not_finish_its_request_is_disconnected(
    sent: bytes, keep_alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "REQUEST_TIMEOUT_S", 0.5)
    with watching() as run, socket.create_connection(("127.0.0.1", run.port)) as slow:
        if keep_alive:
            slow.settimeout(30)
            slow.sendall(b"GET /favicon.ico HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert slow.recv(10_000).startswith(b"HTTP/1.1 204")
        slow.sendall(sent)
        slow.settimeout(0.1)
        finishes(lambda: send_until_disconnected(slow, sent[:1] and b"x"))


def send_until_disconnected(slow: socket.socket, data: bytes) -> None:
    """A byte now and then must not keep a connection open."""
    while True:
        try:
            slow.sendall(data)
            if slow.recv(10_000) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.view.app.BODY_TIMEOUT_S", 0.5)
    with watching() as run, socket.create_connection(("127.0.0.1", run.port), timeout=8) as slow:
        head = b"POST /api/controls HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        slow.sendall(head)
        assert b" 408 " in slow.recv(1000)


def test_a_crowd_of_connections_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_CONNECTIONS", 5)
    with watching() as run:
        crowd = [socket.create_connection(("127.0.0.1", run.port), timeout=5) for _ in range(12)]
        refused = 0
        for connection in crowd[5:]:
            with pytest.raises(OSError):  # noqa: PT012
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                if connection.recv(100) == b"":
                    raise ConnectionResetError
            refused += 1
        assert refused == 7
        for connection in crowd:
            connection.close()
        wait_until(lambda: answers(run))


def answers(run: Watching) -> bool:
    try:
        return run.ask("/health")[0] == 200
    except OSError:
        return False


def test_it_stops_in_two_seconds_whatever_viewers_do() -> None:
    with watching(cameras={"door": SilentSource()}) as run:
        idle = [socket.create_connection(("127.0.0.1", run.port)) for _ in range(3)]
        idle[1].sendall(b"GET /api/frame?camera=door HTTP/1.1\r\nhost: localhost\r\n\r\n")
        idle[2].sendall(b"GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
        time.sleep(0.2)
        finishes(run.view.close)
        assert not [
            thread.name
            for thread in threading.enumerate()
            if thread.name in ("edgecnn-serve", "edgecnn-frame-images", "edgecnn-run-metrics")
        ]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", run.port), timeout=2)
        for connection in idle:
            connection.close()
