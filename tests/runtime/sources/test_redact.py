"""No secret of an address is ever shown, in whatever way a camera fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from edgecnn.errors import SourceError
from edgecnn.runtime.sources import ReconnectOptions, Source, open_source
from edgecnn.runtime.sources.redact import redact_address, redact_text
from tests.runtime.sources.peers import MULTIPART, multipart, needs_httpx, shade, tcp_server

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
@pytest.mark.parametrize("scheme", [pytest.param("http", marks=needs_httpx), "rtsp"])
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


def test_a_variable_that_is_not_set_is_said() -> None:
    with pytest.raises(SourceError, match="the environment variable CAMERA_NONE is not set; set it, or write"):
        open_source("rtsp://ann:${CAMERA_NONE}@cam/x")


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


def test_of_an_endless_address_only_the_scheme_is_shown() -> None:
    assert redact_address("http://me:secret@" + "a" * (1 << 20)) == "http://..."
