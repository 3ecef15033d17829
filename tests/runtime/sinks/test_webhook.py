"""Webhooks to a real HTTP server, good and bad ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.network.webhook import WebhookSink
from edgecnn.runtime.sinks.queue import QueuedSink
from edgecnn.types import Event
from tests.runtime.watchdog import finishes

CROSSED = Event("line-crossed", 12.0, "door", {"line": "gate"})


class Server(ThreadingHTTPServer):
    """Notes what it is sent and answers with ``answers`` in turn, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = [204]
        self.location = ""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def eventually(what: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.perf_counter() + seconds
    while not what():
        assert time.perf_counter() < end, "it did not happen"
        time.sleep(0.01)


def test_an_event_is_posted_and_signed(server: Server) -> None:
    sink = WebhookSink(server.url, secret="k3y")
    sink.write_event(CROSSED)
    ((path, headers, body),) = server.got
    assert path == "/hook?a=b"
    record = json.loads(body)
    assert (record["version"], record["kind"], record["camera"], record["details"]) == (
        3,
        "line-crossed",
        "door",
        {"line": "gate"},
    )
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Edgecnn-Signature"] == "sha256=" + hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    sink.close()


def test_only_the_kinds_that_are_wanted(server: Server) -> None:
    sink = WebhookSink(server.url, kinds={"zone-entered"})
    sink.write_event(CROSSED)
    sink.write_event(Event("zone-entered", 1.0))
    assert [json.loads(body)["kind"] for _, _, body in server.got] == ["zone-entered"]
    assert "X-Edgecnn-Signature" not in server.got[0][1]


def test_a_server_in_trouble_gets_the_same_event_again(server: Server) -> None:
    server.answers = [500, 429, 204]
    queued = QueuedSink(WebhookSink(server.url), name="hook", events_only=True, say=lambda text: None)
    queued.write_event(CROSSED)
    queued.write_event(Event("zone-entered", 1.0))
    eventually(lambda: queued.counts.written == 2)
    queued.close()
    bodies = [body for _, _, body in server.got]
    assert bodies[0] == bodies[1] == bodies[2]
    assert len({headers["X-Edgecnn-Delivery"] for _, headers, _ in server.got}) == 2
    assert json.loads(bodies[3])["kind"] == "zone-entered"


def test_a_refusal_is_final(server: Server) -> None:
    server.answers = [404, 204]
    queued = QueuedSink(WebhookSink(server.url), name="hook", events_only=True, say=lambda text: None)
    queued.write_event(CROSSED)
    queued.write_event(Event("zone-entered", 1.0))
    eventually(lambda: queued.counts.written == 1)
    queued.close()
    assert queued.counts.failed == 1
    assert len(server.got) == 2


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answers, server.location = [307], "http://u:s3cret@elsewhere.example/x"
    with pytest.raises(InputError, match=r"/hook\?a=\*\*\* redirects to http://\*\*\*@elsewhere.example/x; give that address"):
        WebhookSink(server.url).write_event(CROSSED)
    assert len(server.got) == 1


def test_nobody_there() -> None:
    with pytest.raises(UnreachableError, match=r"http://127.0.0.1:1/: connection refused; check the address"):
        WebhookSink("http://127.0.0.1:1/").write_event(CROSSED)


@pytest.mark.parametrize("manner", ["silent", "drips", "garbage", "hangs up"])
def test_a_bad_server_costs_no_more_than_the_timeout(manner: str) -> None:
    over = threading.Event()

    def answer(listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer:
            if manner == "garbage":
                peer.sendall(b"\x00\xff\r\n\r\n")
            while manner == "drips" and not over.wait(0.1):
                try:
                    peer.sendall(b"H")
                except OSError:
                    return
            if manner in ("silent", "garbage"):
                over.wait(300)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        sink = WebhookSink(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.5)
        with pytest.raises(UnreachableError):
            finishes(lambda: sink.write_event(CROSSED))
        over.set()
        thread.join()


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        sink = WebhookSink(server.url.replace("http:", "https:"))
        with pytest.raises(UnreachableError, match="certificate verify failed"):
            sink.write_event(CROSSED)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        sink.write_event(CROSSED)
        assert len(server.got) == 1
        server.shutdown()
        thread.join()


def test_a_slow_server_never_slows_the_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sink = WebhookSink(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.3)
        queued = QueuedSink(sink, name="hook", capacity=10, events_only=True, close_within_s=0.5, say=lambda text: None)
        finishes(lambda: [queued.write_event(CROSSED) for _ in range(1000)])  # 300 s if each waited for the server
        finishes(queued.close)
        assert queued.counts.dropped == 1000


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("ftp://h/", "the address of the output is not valid; write it like https://", id="scheme"),
        pytest.param("https://", "the address of the output is not valid; write it like https://", id="no host"),
        pytest.param("https://u:s3cret@h/", "holds a password, which every user of this machine can read", id="password"),
    ],
)
def test_wrong_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        WebhookSink(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        pytest.param("/tür?raum=küche", "/t%C3%BCr?raum=k%C3%BCche", id="letters"),
        pytest.param("/a%20b/%C3%BC?x=%2F", "/a%20b/%C3%BC?x=%2F", id="encoded already"),
        pytest.param("/!$&'()*+,;=:@~?q=a/b?c&d=[1]", "/!$&'()*+,;=:@~?q=a/b?c&d=[1]", id="signs"),
    ],
)
def test_other_letters_in_a_path_are_encoded(server: Server, path: str, sent: str) -> None:
    WebhookSink(server.url.replace("/hook?a=b", path)).write_event(CROSSED)
    assert [got[0] for got in server.got] == [sent]


@pytest.mark.parametrize(
    "address", ["http://h/a b", "http://h/a\nb", "http://h/a\tb", "http://h/\ud800", "http://h/a\u2028b", "http://h/\0"]
)
def test_an_address_with_a_space_or_a_line_break_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(InputError, match=r"^the address of the output holds a space, a line break or .*; write a space as %20"):
        WebhookSink(address)


@pytest.mark.parametrize("address", ["http://..", f"http://{'a' * 64}.example/", "http://[::1", "http://h:0/", "http://h:x/"])
def test_a_host_that_can_not_be_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(InputError, match=r"^the address of the output is not valid; write it like https://host/path$"):
        WebhookSink(address)
