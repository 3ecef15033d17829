"""HTTP cameras: logins, redirects, chunks, TLS, and bad answers, from real servers."""

from __future__ import annotations

import base64
import hashlib
import http.server
import logging
import math
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import MissingExtraError, SourceError
from edgecnn.runtime.sources import ReconnectOptions, open_source
from tests.runtime.sources.peers import multipart, part, shade, tcp_server
from tests.runtime.watchdog import finishes

pytest.importorskip("httpx", reason='needs pip install "edgecnn[live]"')

import httpx

from edgecnn.runtime.sources.http_client import _Login, _may_have_login

SECRET = "s3cr3t"
REALM, NONCE = "a camera", "dcd98b7102dd2f0e8b11d0f600bfb0c0"
DIGEST = f'Digest realm="{REALM}", nonce="{NONCE}"'
FULL = f'{DIGEST}, qop="auth,auth-int", opaque="5ccc"'
LOGINS = {
    "/basic": ['Basic realm="a camera"'],
    "/digest": ['Basic realm="weak"', FULL],
    "/no-qop": [DIGEST],
    "/sha256": ['Basic realm="weak"', f"{FULL}, algorithm=SHA-256"],
    "/unknown-first": [f"{FULL}, algorithm=SHA-512-256", "Digest broken", FULL],
    "/ntlm": ["NTLM", "Negotiate"],
}


class CameraServer(http.server.ThreadingHTTPServer):
    """Keeps the requests that it has seen; ``elsewhere`` is where /away points to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Camera)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.elsewhere = ""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Camera(http.server.BaseHTTPRequestHandler):
    """Paths named after a login want ann's password, /moved points to /live, /away elsewhere, /still is a single image."""

    protocol_version = "HTTP/1.1"
    server: CameraServer

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        try:
            if path in LOGINS and not self._allowed(path):
                self._head(401, *(("WWW-Authenticate", challenge) for challenge in LOGINS[path]), ("Content-Length", "0"))
            elif path == "/endless-401":
                self._head(401, ("WWW-Authenticate", f'Digest realm="{REALM}", nonce="{NONCE}"'))
                while True:
                    self.wfile.write(bytes(1 << 16))
            elif path == "/moved-to-digest":
                self._head(301, ("Location", "/digest?channel=1"), ("Content-Length", "0"))
            elif path == "/moved":
                self._head(302, ("Location", "/live"), ("Content-Length", "0"))
            elif path == "/away":
                self._head(302, ("Location", self.server.elsewhere), ("Content-Length", "0"))
            elif path == "/round":
                self._head(302, ("Location", "/round"), ("Content-Length", "0"))
            elif path == "/still":
                self._head(200, ("Content-Type", "image/jpeg"), ("Content-Length", "3"))
                self.wfile.write(b"abc")
            else:
                self._play(chunked=path == "/chunked")
        except OSError:
            pass

    def _allowed(self, path: str) -> bool:
        given = self.headers.get("Authorization", "")
        if path == "/basic":
            return given == "Basic " + base64.b64encode(b"ann:s3cr@t").decode()
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        digest = hashlib.md5 if path != "/sha256" else hashlib.sha256

        def hashed(text: str) -> str:
            return digest(text.encode()).hexdigest()

        secret, asked = hashed(f"ann:{REALM}:s3cr@t"), hashed(f"GET:{self.path}")
        if path == "/no-qop":  # RFC 2069
            return fields.get("response") == hashed(f"{secret}:{NONCE}:{asked}")
        parts = (secret, NONCE, fields.get("nc", ""), fields.get("cnonce", ""), "auth", asked)
        return fields.get("response") == hashed(":".join(parts)) and fields.get("opaque") == "5ccc"

    def _head(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _play(self, *, chunked: bool) -> None:
        self._head(
            200,
            ("Content-Type", "multipart/x-mixed-replace; boundary=frame"),
            *([("Transfer-Encoding", "chunked")] if chunked else [("Connection", "close")]),
        )
        for value in range(100):
            data = part(shade(value))
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n" if chunked else data)
            time.sleep(0.02)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def start() -> Iterator[Callable[..., CameraServer]]:
    servers: list[CameraServer] = []

    def begin(context: ssl.SSLContext | None = None) -> CameraServer:
        server = CameraServer()
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def first(address: str, timeout: float = 5.0) -> np.ndarray:
    source = open_source(address, timeout=timeout)
    frames = iter(source)
    try:
        return next(frames).image
    finally:
        frames.close()


@pytest.mark.parametrize(
    "path",
    [
        "/basic", "/digest", "/sha256?channel=1", "/no-qop?a=b&c", "/unknown-first",
        "/moved", "/moved-to-digest", "/chunked", "/live", "/a%20b",
    ],
)  # fmt: skip
def test_http_cameras_as_they_are(start: Callable[..., CameraServer], path: str) -> None:
    assert first(f"http://ann:s3cr%40t@127.0.0.1:{start().server_port}{path}").shape == (48, 64, 3)


@pytest.mark.parametrize("path", ["/basic", "/digest", "/sha256", "/no-qop", "/endless-401"])
def test_a_wrong_password_is_one_clear_line(start: Callable[..., CameraServer], path: str) -> None:
    server = start()
    with pytest.raises(SourceError, match=r"it refuses the user and password \(401\); check them") as caught:
        first(f"http://ann:guess@127.0.0.1:{server.server_port}{path}")
    assert "\n" not in str(caught.value)
    assert "guess" not in str(caught.value)
    assert len(server.seen) == 2


@pytest.mark.parametrize("path", ["/basic", "/digest"])
def test_without_a_password_it_says_where_to_write_it(start: Callable[..., CameraServer], path: str) -> None:
    with pytest.raises(SourceError, match=r"requires a user and password \(401\); write them into the address"):
        first(f"http://127.0.0.1:{start().server_port}{path}")


def test_a_login_that_is_not_supported_is_named(start: Callable[..., CameraServer]) -> None:
    with pytest.raises(SourceError, match="login by NTLM, Negotiate is not supported; set the camera to Basic or Digest"):
        first(f"http://ann:guess@127.0.0.1:{start().server_port}/ntlm")


def test_the_password_does_not_follow_to_another_place(start: Callable[..., CameraServer]) -> None:
    here, there = start(), start()
    here.elsewhere = f"http://127.0.0.1:{there.server_port}/digest"
    with pytest.raises(SourceError, match="401"):
        first(f"http://ann:s3cr%40t@127.0.0.1:{here.server_port}/away")
    assert there.seen
    assert all("Authorization" not in headers for _, headers in there.seen)


@pytest.mark.parametrize(
    ("to", "may"),
    [
        ("http://cam/b", True), ("https://cam/b", True), ("http://cam:8080/b", False), ("https://cam:8443/b", False),
        ("http://other/b", False), ("http://cam.evil.example/b", False),
    ],
)  # fmt: skip
def test_a_login_stays_with_its_origin_or_goes_to_its_https_side(to: str, may: bool) -> None:
    assert _may_have_login(httpx.URL("http://ann:s3cr%40t@cam/a"), httpx.URL(to)) == may
    assert not _may_have_login(httpx.URL("https://cam/a"), httpx.URL("http://cam/a"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/round", "more than 5 redirects; check the path", id="a circle"),
        pytest.param("/still", "is a single image, not a stream", id="still"),
    ],
)
def test_what_is_no_stream_is_said(start: Callable[..., CameraServer], path: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        first(f"http://127.0.0.1:{start().server_port}{path}")


def test_https_wants_a_good_certificate_unless_told(start: Callable[..., CameraServer], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    port = start(context).server_port
    with pytest.raises(SourceError, match="its certificate can't be verified; write https"):
        first(f"https://127.0.0.1:{port}/live")
    assert first(f"https+insecure://127.0.0.1:{port}/live").shape == (48, 64, 3)


def test_the_digest_is_that_of_the_standard() -> None:
    """The example of RFC 7616, section 3.9.1, with its client nonce."""
    url = httpx.URL("http://Mufasa:Circle%20of%20Life@www.example.org/dir/index.html")
    flow = _Login(url).auth_flow(httpx.Request("GET", url))
    request = next(flow)
    challenge = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    sent = flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=request)).headers["authorization"]
    cnonce = re.findall(r'cnonce="([^"]+)"', sent)[0]

    def hashed(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    secret, asked = hashed("Mufasa", "http-auth@example.org", "Circle of Life"), hashed("GET", "/dir/index.html")
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    assert f'response="{hashed(secret, nonce, "00000001", cnonce, "auth", asked)}"' in sent
    assert 'uri="/dir/index.html"' in sent


def test_headers_without_end_are_one_line() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Padding: " + b"x" * 4096 + b"\r\n")

    with tcp_server(endless) as port, pytest.raises(SourceError, match="it gives no valid HTTP answer; check the address"):
        first(f"http://127.0.0.1:{port}/")


def test_a_camera_by_ipv6() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")

    def serve() -> None:
        connection = listener.accept()[0]
        with connection:
            connection.recv(4096)
            multipart(shade(7), stay=5)(connection)

    with listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert first(f"http://[::1]:{listener.getsockname()[1]}/").shape == (48, 64, 3)
        thread.join(10)


def test_proxies_of_the_environment_are_not_used(start: Callable[..., CameraServer], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert first(f"http://127.0.0.1:{start().server_port}/live").shape == (48, 64, 3)


def test_the_log_of_httpx_shows_no_secret(start: Callable[..., CameraServer], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        first(f"http://ann:s3cr%40t@127.0.0.1:{start().server_port}/live/{SECRET}0123456789abcdef?token={SECRET}")
    assert "GET http://127.0.0.1" in caplog.text
    assert SECRET not in caplog.text
    assert "s3cr" not in caplog.text


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "edgecnn.runtime.sources.http_client", raising=False)
    with pytest.raises(MissingExtraError, match=r'httpx is not installed; run: pip install "edgecnn\[live\]"'):
        open_source("http://127.0.0.1:1/", reconnect=ReconnectOptions(connect_timeout_s=math.inf))
    assert not open_source("http://127.0.0.1:1/film.mp4").live


def test_a_slow_reader_gets_the_newest_picture_and_the_others_are_counted() -> None:
    with tcp_server(multipart(*(shade(value * 2) for value in range(100)), every=0.005, stay=3)) as port:
        source = open_source(f"http://127.0.0.1:{port}/")
        frames = iter(source)
        shades = [int(next(frames).image.mean())]
        time.sleep(1.5)
        shades.append(int(next(frames).image.mean()))
        source.close()
        assert list(frames) == []
    assert shades[-1] >= 190
    assert source.missed >= 80


def test_every_picture_is_given_where_all_are_wanted() -> None:
    with tcp_server(multipart(*(shade(value * 2) for value in range(100)), every=0.0)) as port:
        source = open_source(f"http://127.0.0.1:{port}/", paced=False)
        shades = []
        with pytest.raises(SourceError, match="the stream ended after 100 frames"):
            shades.extend(round(frame.image.mean() / 2) for frame in source)
    assert shades == list(range(100))
    assert source.missed == 0


def test_closing_ends_a_read_that_waits() -> None:
    with tcp_server(multipart(shade(1), shade(2), every=0.05, stay=300)) as port:
        source = open_source(f"http://127.0.0.1:{port}/", timeout=300)
        frames = iter(source)
        next(frames)
        threading.Timer(0.3, source.close).start()
        assert len(finishes(lambda: list(frames))) <= 1


def test_a_secret_is_used_all_the_same(start: Callable[..., CameraServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_KEY", SECRET)
    server = start()
    address = f"http://127.0.0.1:{server.server_port}/live/${{CAMERA_KEY}}/main?token=${{CAMERA_KEY}}"
    source = open_source(address)
    next(frames := iter(source))
    frames.close()
    assert server.seen[0][0] == f"/live/{SECRET}/main?token={SECRET}"
    assert source.name == f"http://127.0.0.1:{server.server_port}/live/***/main?token=***"


def test_a_picture_that_is_no_picture_is_counted() -> None:
    good = cv2.imencode(".jpg", shade(9))[1].tobytes()
    bad = good[:20] + b"\x00" * 30 + good[50:]
    with tcp_server(multipart(shade(1), bad, shade(2), good[:200], shade(3), every=0.05)) as port:
        source = open_source(
            f"http://127.0.0.1:{port}/", reconnect=ReconnectOptions(connect_timeout_s=math.inf, initial_delay_s=60)
        )
        threading.Timer(1.5, source.close).start()
        frames = list(source)
    assert len(frames) + source.failed >= 4
    assert source.failed >= 1


def test_a_camera_whose_pictures_are_too_large_is_named_with_the_limit() -> None:
    with tcp_server(multipart(*[shade(n) for n in range(60)], every=0.02, stay=2)) as port:
        source = open_source(f"http://127.0.0.1:{port}/", timeout=0.5, max_image_pixels=48 * 64 - 1)
        with pytest.raises(
            SourceError, match=r"data without an image for .* s \(64 x 48 pixels are more than the limit of 3,071"
        ):
            list(source)
    assert source.failed >= 1
