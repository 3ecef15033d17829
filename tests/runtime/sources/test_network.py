"""Network cameras: a real MJPEG server on this machine, a real RTSP server where GStreamer is installed, and all that goes wrong."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import SourceError
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.redact import redact_address
from edgecnn.runtime.testing import FakePredictor
from edgecnn.videos.opencv_logging import silence_video_logs
from tests.runtime.sources.peers import needs_httpx, rtsp_camera

silence_video_logs()  # before any test opens a video: FFmpeg asks once
BOUNDARY = "frame"
PASS = "Basic " + base64.b64encode(b"ann:s3cret").decode()
ENOUGH = 30  # FFmpeg looks at a few frames before it gives the first


class FilmServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, film: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Camera)
        self.film, self.stop = film, threading.Event()


class Camera(BaseHTTPRequestHandler):
    """/live sends 60 frames and ends; /stall sends 30 and falls silent; /secret wants a password; /film.avi is a file."""

    server: FilmServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            if path == "/film.avi":
                self._begin(200, "Content-Length", str(len(self.server.film)))
                self.wfile.write(self.server.film)
            elif path == "/secret" and self.headers.get("Authorization") != PASS:
                self._begin(401, "WWW-Authenticate", "Basic realm=camera")
            elif path in ("/live", "/stall", "/secret"):
                self._begin(200, "Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self._play(ENOUGH if path == "/stall" else 2 * ENOUGH, then_stall=path == "/stall")
            else:
                self._begin(404, "Content-Length", "0")
        except OSError:
            pass  # the client left

    def _begin(self, status: int, name: str, value: str) -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.end_headers()

    def _play(self, frames: int, *, then_stall: bool) -> None:
        for index in range(frames):
            self._send(np.full((48, 64, 3), index * 4, np.uint8))
        if then_stall:
            self.server.stop.wait(20)

    def _send(self, image: np.ndarray) -> None:
        jpeg = cv2.imencode(".jpg", image)[1].tobytes()
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self.wfile.write(head.encode() + jpeg + b"\r\n")
        time.sleep(0.005)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("httpx", reason='needs pip install "edgecnn[live]"')
    writer = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for index in range(10):
        writer.write(np.full((48, 64, 3), index * 20, np.uint8))
    writer.release()
    server = FilmServer((tmp_path / "film.avi").read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_http_frames_arrive_in_order_and_the_end_of_a_live_stream_is_an_error(
    camera: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = open_source(f"http://{camera}/live")
    seen: list[float] = []
    with pytest.raises(SourceError, match=r"the stream ended after \d+ frames"):
        seen.extend(frame.image.mean() for frame in source)
    assert source.live
    assert len(seen) > ENOUGH
    assert seen == sorted(seen)
    assert capfd.readouterr().err == ""


def test_a_video_on_a_web_server_is_a_file_that_ends(camera: str) -> None:
    source = open_source(f"http://{camera}/film.avi")
    assert not source.live
    assert [frame.index for frame in source] == list(range(10))


def test_a_camera_that_falls_silent_is_an_error_after_the_timeout(camera: str, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []
    with pytest.raises(SourceError, match=r"no frame for \d\.\d s after \d+ frames"):
        seen.extend(frame.index for frame in open_source(f"http://{camera}/stall", timeout=1.0))
    assert seen
    assert capfd.readouterr().err == ""


def test_a_wrong_password_is_said_and_not_shown(camera: str) -> None:
    with pytest.raises(SourceError, match=r"refuses the user and password \(401\)") as caught:
        list(open_source(f"http://ann:guess@{camera}/secret"))
    assert "guess" not in str(caught.value)


def test_user_and_password_are_used_and_never_shown(camera: str) -> None:
    source = open_source(f"http://ann:s3cret@{camera}/secret")
    assert next(iter(source)).image.shape == (48, 64, 3)
    assert source.name == f"http://***@{camera}/secret"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/absent", r"no such path \(404\)", id="404"),
        pytest.param("/secret", r"requires a user and password \(401\)", id="401"),
    ],
)
def test_what_the_server_refuses_is_said(camera: str, path: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=message):
        list(open_source(f"http://{camera}{path}"))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scheme", [pytest.param("http", marks=needs_httpx), "rtsp"])
def test_an_address_that_refuses_is_one_line_without_the_password(scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match=f"refuses connections on port {port}") as caught:
        list(open_source(f"{scheme}://ann:s3cret@127.0.0.1:{port}/x"))
    assert "s3cret" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scheme", [pytest.param("http", marks=needs_httpx), "rtsp"])
def test_an_address_that_does_not_answer_is_given_up_after_the_timeout(scheme: str, silent_port: int) -> None:
    started = time.perf_counter()
    with pytest.raises(SourceError, match=r"sends no frame within 0\.5 s"):
        list(open_source(f"{scheme}://127.0.0.1:{silent_port}/x", timeout=0.5))
    assert time.perf_counter() - started < 5


def test_a_name_that_does_not_exist_is_said() -> None:
    with pytest.raises(SourceError, match=r"the host name camera\.invalid can't be resolved"):
        list(open_source("rtsp://camera.invalid/x", timeout=2.0))


@needs_httpx
def test_leaving_a_pipeline_on_a_silent_address_takes_under_two_seconds(silent_port: int) -> None:
    pipeline = Pipeline(open_source(f"http://127.0.0.1:{silent_port}/x", timeout=3.0), FakePredictor())
    with pipeline:
        threading.Timer(0.2, pipeline.stop).start()
        assert list(pipeline) == []
        left_at = time.perf_counter()
    assert time.perf_counter() - left_at < 2
    deadline = time.perf_counter() + 10
    while any(thread.name == "edgecnn-capture" for thread in threading.enumerate()) and time.perf_counter() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        pytest.param("rtsp://cam.local:554/a/b", "rtsp://cam.local:554/a/b", id="nothing to hide"),
        pytest.param("rtsp://u:p@cam/a", "rtsp://***@cam/a", id="user and password"),
        pytest.param("rtsp://u:p@ss@cam/a", "rtsp://***@cam/a", id="at sign in the password"),
        pytest.param("rtsp://u:p/a@cam/x", "rtsp://***@cam/x", id="slash in the password"),
        pytest.param("http://cam/v?user=ann&pwd=x&ch=1", "http://cam/v?user=***&pwd=***&ch=1", id="in the query"),
        pytest.param("http://cam/v?x=ab/c?d=e;f&fps=5", "http://cam/v?x=***&fps=5", id="odd signs in the query"),
        pytest.param("http://cam/v?s3cret", "http://cam/v?***", id="a query that is all secret"),
        pytest.param("rtsp://u:p/a@cam/x?token=abc", "rtsp://***@cam/x?token=***", id="slash in the password and a token"),
        pytest.param("rtsp://cam?token=abc", "rtsp://cam?token=***", id="no path"),
        pytest.param("http://cam/stream@2", "http://cam/stream@2", id="at sign in the path"),
    ],
)
def test_addresses_are_printed_without_secrets(address: str, shown: str) -> None:
    assert redact_address(address) == shown


@pytest.fixture
def rtsp() -> Iterator[str]:
    with rtsp_camera() as camera:
        yield camera.address().removesuffix("/camera")


def test_rtsp_runs_live_through_the_pipeline(rtsp: str, capfd: pytest.CaptureFixture[str]) -> None:
    source = open_source(f"{rtsp}/camera")
    with Pipeline(source, FakePredictor(delay=0.1), max_frames=10) as pipeline:
        sizes = {result.frame.image.shape for result in pipeline}
    counts = pipeline.ledger.counts()
    assert sizes == {(120, 160, 3)}
    assert (pipeline.policy, counts.processed, counts.in_flight) == ("latest", 10, 0)
    assert counts.dropped > 0
    assert capfd.readouterr().err == ""


def test_rtsp_path_that_is_not_there(rtsp: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"no such path \(404\)"):
        list(open_source(f"{rtsp}/attic"))
    assert capfd.readouterr().err == ""
