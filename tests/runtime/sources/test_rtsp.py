"""RTSP cameras with logins and transports, by GStreamer's server; frames that queue up on the way."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import SourceError
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.network_stream import Backlog
from tests.runtime.sources.peers import rtsp_camera

SECRET = "s3cr3t"


def first(address: str, timeout: float = 5.0) -> np.ndarray:
    source = open_source(address, timeout=timeout)
    frames = iter(source)
    try:
        return next(frames).image
    finally:
        frames.close()


def test_a_video_opened_by_opencv_before_leaves_the_transport_of_streams_alone(tmp_path: Path) -> None:
    pytest.importorskip("av", reason='needs pip install "edgecnn[video]"')
    from edgecnn.videos.opencv_capture import open_file
    from edgecnn.videos.pyav_capture import stream_options

    assert open_file(str(tmp_path / "absent.mp4"), 1.0) is None
    assert stream_options("tcp") == {"rtsp_flags": "prefer_tcp", "fpsprobesize": "0"}
    assert stream_options("udp") == {"rtsp_transport": "udp", "fpsprobesize": "0"}


def test_udp_that_nobody_sends_is_said() -> None:
    with pytest.raises(SourceError, match=r"no video within 0\.3 s. check that a program sends it"):
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
    backlog, now, found = Backlog(fps, drop=True), time.perf_counter(), []
    for waited in waits:
        now += waited
        found.append(backlog.holds(waited, now))
    assert found == held
    assert not any(Backlog(fps, drop=False).holds(waited, now) for waited in waits)
