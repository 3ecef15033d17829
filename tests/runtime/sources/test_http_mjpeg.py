"""HTTP cameras that ask for a password, move, speak in chunks or TLS; and that no secret of an address is ever shown."""

from __future__ import annotations

import hashlib
import http.server
import math
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import SourceError
from edgecnn.runtime.sources import ReconnectOptions, Source, open_source
from edgecnn.runtime.sources.http_request import authorization
from edgecnn.runtime.sources.network_stream import Backlog
from edgecnn.runtime.sources.redact import redact_address, redact_text
from tests.runtime.sources.peers import MULTIPART, multipart, part, rtsp_camera, shade, tcp_server

REALM, NONCE = "a camera", "dcd98b7102dd2f0e8b11d0f600bfb0c0"


class Camera(http.server.BaseHTTPRequestHandler):
    """/digest and /sha256 want ann's password, /moved points to /live, /away to another port, /still is one picture."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        try:
            if path in ("/digest", "/sha256") and not self._allowed("MD5" if path == "/digest" else "SHA-256"):
                algorithm = ", algorithm=SHA-256" if path == "/sha256" else ""
                challenge = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth,auth-int", opaque="5ccc"{algorithm}'
                self._head(
                    401, ("WWW-Authenticate", 'Basic realm="weak"'), ("WWW-Authenticate", challenge), ("Content-Length", "0")
                )
            elif path == "/moved":
                self._head(302, ("Location", "/live"), ("Content-Length", "0"))
            elif path == "/away":
                self._head(302, ("Location", self.server.elsewhere), ("Content-Length", "0"))  # type: ignore[attr-defined]
            elif path == "/round":
                self._head(302, ("Location", "/round"), ("Content-Length", "0"))
            elif path == "/still":
                self._head(200, ("Content-Type", "image/jpeg"), ("Content-Length", "3"))
                self.wfile.write(b"abc")
            else:
                self._play(chunked=path == "/chunked")
        except OSError:
            pass

    def _allowed(self, algorithm: str) -> bool:
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', self.headers.get("Authorization", "")))
        digest = hashlib.md5 if algorithm == "MD5" else hashlib.sha256

        def hashed(text: str) -> str:
            return digest(text.encode()).hexdigest()

        secret, asked = hashed(f"ann:{REALM}:s3cr@t"), hashed(f"GET:{self.path}")
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
def start() -> Iterator[Callable[..., http.server.ThreadingHTTPServer]]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def begin(context: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
        server.seen, server.elsewhere, server.daemon_threads = [], "", True  # type: ignore[attr-defined]
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
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


@pytest.mark.parametrize("path", ["/digest", "/sha256?channel=1", "/moved", "/chunked", "/live"])
def test_http_cameras_as_they_are(start: Callable[..., http.server.ThreadingHTTPServer], path: str) -> None:
    assert first(f"http://ann:s3cr%40t@127.0.0.1:{start().server_port}{path}").shape == (48, 64, 3)


def test_a_wrong_digest_password_is_said(start: Callable[..., http.server.ThreadingHTTPServer]) -> None:
    with pytest.raises(SourceError, match=r"refuses the user and password \(401\)"):
        first(f"http://ann:guess@127.0.0.1:{start().server_port}/digest")


def test_the_password_does_not_follow_to_another_place(start: Callable[..., http.server.ThreadingHTTPServer]) -> None:
    here, there = start(), start()
    here.elsewhere = f"http://127.0.0.1:{there.server_port}/digest"  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="401"):
        first(f"http://ann:s3cr%40t@127.0.0.1:{here.server_port}/away")
    assert all("Authorization" not in headers for _, headers in there.seen)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/round", r"not with a video stream \(302\)", id="a circle"),
        pytest.param("/still", "one still picture", id="still"),
    ],
)
def test_what_is_no_stream_is_said(start: Callable[..., http.server.ThreadingHTTPServer], path: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        first(f"http://127.0.0.1:{start().server_port}{path}")


def test_https_wants_a_good_certificate_unless_told(
    start: Callable[..., http.server.ThreadingHTTPServer], tmp_path: Path
) -> None:
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
    with pytest.raises(SourceError, match="a certificate that nobody vouches for: write https"):
        first(f"https://127.0.0.1:{port}/live")
    assert first(f"https+insecure://127.0.0.1:{port}/live").shape == (48, 64, 3)


def test_the_answer_to_a_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 2069, with the digest that its errata give."""
    challenge = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    answer = authorization([challenge], ("Mufasa", "CircleOfLife"), "/dir/index.html")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer


@pytest.mark.parametrize("challenges", [[], [""], ["Bearer"], ['Digest algorithm=SHA-512-256, nonce="1"']], ids=str)
def test_a_challenge_that_nobody_knows_has_no_answer(challenges: list[str]) -> None:
    assert authorization(challenges, ("ann", "s3cret"), "/") == ""


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
    with tcp_server(multipart(shade(1), shade(2), every=0.05, stay=20)) as port:
        source = open_source(f"http://127.0.0.1:{port}/", timeout=20)
        frames = iter(source)
        next(frames)
        threading.Timer(0.3, source.close).start()
        started = time.perf_counter()
        list(frames)
        assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("fps", "waits", "held"),
    [
        pytest.param(25.0, [0.001] * 3 + [0.03, 0.001, 0.04], [True] * 3 + [False] * 3, id="at the start"),
        pytest.param(25.0, [0.04, 0.9, 0.001, 0.001, 0.03], [False, False, True, True, False], id="after a gap"),
        pytest.param(1.0, [1.0, 1.0, 1.0], [False] * 3, id="one frame a second"),
        pytest.param(None, [0.03, 0.03], [False] * 2, id="rate not known"),
        pytest.param(0.5, [0.03, 0.2, 0.03], [True, False, False], id="header that lies"),
    ],
)
def test_what_piled_up_on_the_way_is_let_go(fps: float | None, waits: list[float], held: list[bool]) -> None:
    backlog, now, found = Backlog(fps, wanted=True), time.perf_counter(), []
    for waited in waits:
        now += waited
        found.append(backlog.holds(waited, now))
    assert found == held
    assert not any(Backlog(fps, wanted=False).holds(waited, now) for waited in waits)


# secrets

SECRET = "s3cr3t"
PLACES = [
    pytest.param(f"ann:{SECRET}@", "/live", id="user info"),
    pytest.param(f"{SECRET}@", "/live", id="user"),
    pytest.param("", f"/live?user=ann&password={SECRET}&channel=1", id="query"),
    pytest.param("", f"/live?x={SECRET}", id="query without a telling name"),
    pytest.param("", f"/api;loginpas={SECRET}/live", id="parameter"),
    pytest.param("", f"/live/{SECRET}0123456789abcdefgh/main", id="key in the path"),
    pytest.param("", "/live/${CAMERA_KEY}/main", id="from the environment"),
]


def told(source: Source) -> str:
    """All that a source ever says."""
    said: list[object] = [source.name, source.detail, source.state, source.notes, source.failures, source.stuck]
    said += [thread.name for thread in threading.enumerate()]
    return " ".join(map(str, [*said, *source.take_events()]))


def refuse(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")


def absent(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")


def nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\0\1\2\3 nonsense \r\n" * 99)


def mute(connection: socket.socket) -> None:
    connection.recv(1)


def pictureless(connection: socket.socket) -> None:
    connection.sendall(MULTIPART + b"nothing" * 99)


@pytest.mark.parametrize("script", [refuse, absent, nonsense, mute, pictureless, multipart(shade(1))], ids=lambda s: s.__name__)
@pytest.mark.parametrize(("login", "path"), PLACES)
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_no_error_shows_a_secret(
    scheme: str,
    login: str,
    path: str,
    script: Callable[[socket.socket], None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CAMERA_KEY", SECRET)
    with tcp_server(script) as port:
        address = f"{scheme}://{login}127.0.0.1:{port}{path}"
        with pytest.raises(SourceError) as caught:
            list(open_source(address, timeout=0.3))
        how = ReconnectOptions(max_silence_s=0.3, initial_delay_s=0.05, max_delay_s=0.1, connect_timeout_s=0.3)
        steady = open_source(address, timeout=0.3, reconnect=how)
        threading.Timer(1.0, steady.close).start()
        said = []
        try:
            list(steady)
        except SourceError as problem:
            said.append(str(problem))
    shown = capfd.readouterr()
    error = caught.value
    assert SECRET not in f"{said} {error} {error!r} {error.args} {error.__cause__} {told(steady)} {shown.out} {shown.err}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_a_secret_is_used_all_the_same(
    start: Callable[..., http.server.ThreadingHTTPServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_KEY", SECRET)
    server = start()
    address = f"http://127.0.0.1:{server.server_port}/live/${{CAMERA_KEY}}/main?token=${{CAMERA_KEY}}"
    source = open_source(address)
    next(frames := iter(source))
    frames.close()
    assert server.seen[0][0] == f"/live/{SECRET}/main?token={SECRET}"  # type: ignore[attr-defined]
    assert source.name == f"http://127.0.0.1:{server.server_port}/live/***/main?token=***"


def test_a_variable_that_is_not_set_is_said() -> None:
    with pytest.raises(SourceError, match="the environment variable CAMERA_NONE, found it is not set"):
        open_source("rtsp://ann:${CAMERA_NONE}@cam/x")


def test_udp_that_nobody_sends_is_said() -> None:
    with pytest.raises(SourceError, match=r"no video within 0\.3 s: check that somebody sends it"):
        list(open_source("udp://127.0.0.1:9", timeout=0.3))


@pytest.mark.parametrize("login", ["", "ann:wrong@"], ids=["without", "wrong"])
def test_an_rtsp_camera_with_a_password_says_what_it_wants(login: str, capfd: pytest.CaptureFixture[str]) -> None:
    with rtsp_camera("--login", f"ann:{SECRET}") as camera, pytest.raises(SourceError, match=r"\(401\)") as caught:
        list(open_source(camera.address(login=login)))
    assert "wrong" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("query", ["", "?channel=1&subtype=0"], ids=["plain", "query"])
@pytest.mark.parametrize("scheme", ["rtsp", "rtspt", "rtspu"])
def test_an_rtsp_camera_with_a_password(scheme: str, query: str) -> None:
    with rtsp_camera("--login", f"ann:{SECRET}", "--transport", "udp" if scheme == "rtspu" else "tcp") as camera:
        assert first(camera.address(scheme, login=f"ann:{SECRET}@") + query).shape == (120, 160, 3)


def test_a_camera_that_speaks_udp_alone_is_reached_all_the_same() -> None:
    with rtsp_camera("--transport", "udp") as camera:
        assert first(camera.address()).shape == (120, 160, 3)


def test_udp_is_not_tried_over_tcp() -> None:
    with rtsp_camera("--transport", "tcp") as camera, pytest.raises(SourceError, match="not with a video stream"):
        first(camera.address("rtspu"))


@pytest.mark.parametrize(("scheme", "udp"), [("rtsp", False), ("rtspt", False), ("rtspu", True)])
def test_the_scheme_says_how_rtsp_travels(scheme: str, udp: bool) -> None:
    with rtsp_camera() as camera:
        source = open_source(camera.address(scheme))
        frames = iter(source)
        next(frames)
        assert bool(udp_sockets()) == udp
        frames.close()


def udp_sockets() -> set[str]:
    """The inodes of the UDP sockets of this process."""
    listed = {line.split()[9] for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]}
    links = (str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return listed & {link[8:-1] for link in links if link.startswith("socket:[")}


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        pytest.param("can't open rtsp://a:b@cam/x, gone", "can't open rtsp://***@cam/x, gone", id="address inside"),
        pytest.param("user ann2 with s3cr@t\n refused", "user *** with *** refused", id="bare secrets"),
        pytest.param("s3cr%40t", "***", id="as written"),
    ],
)
def test_foreign_texts_are_scrubbed(text: str, scrubbed: str) -> None:
    assert redact_text(text, "http://ann2:s3cr%40t@cam/x") == scrubbed


def test_ordinary_addresses_stay_readable() -> None:
    for address in (
        "rtsp://192.168.1.20:554/Streaming/Channels/101",
        "rtsp://cam/cam/realmonitor?channel=1&subtype=0",
        "http://cam/axis-cgi/mjpg/video.cgi?resolution=640x480",
        "http://cam/nphMotionJpeg?Resolution=640x480&Quality=Standard",
    ):
        assert redact_address(address) == address


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
