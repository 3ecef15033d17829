"""Faults of cameras and networks, by real peers: counted, survived, and nothing promised is lost."""

from __future__ import annotations

import gc
import math
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources import ReconnectOptions, Source, open_source
from edgecnn.runtime.testing import FakePredictor
from edgecnn.types import Event, Frame
from tests.runtime.pipeline.harness import wait_until
from tests.runtime.sources.peers import (
    MULTIPART,
    RtspCamera,
    multipart,
    needs_httpx,
    open_files,
    resident_mib,
    rtsp_camera,
    shade,
    tcp_server,
)

QUICK = ReconnectOptions(max_silence_s=2.0, initial_delay_s=0.05, max_delay_s=0.3, reset_after_s=0.5, connect_timeout_s=math.inf)


class Watcher:
    """Iterates a source in a thread, and keeps what came."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.indices: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.last: Frame | None = None
        self._events: list[Event] = []
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.source.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        for frame in self.source:
            self.indices.append(frame.index)
            if not self.shapes or self.shapes[-1] != frame.image.shape:
                self.shapes.append(frame.image.shape)
            self.last = frame

    @property
    def events(self) -> list[Event]:
        self._events += self.source.take_events()
        return self._events

    @property
    def kinds(self) -> Counter[str]:
        return Counter(event.kind for event in self.events)

    def wait_frames(self, count: int, within: float = 20.0) -> None:
        """Wait for so many more frames."""
        wanted, deadline = len(self.indices) + count, time.perf_counter() + within
        while len(self.indices) < wanted:
            assert time.perf_counter() < deadline, (
                f"{len(self.indices)} of {wanted} frames; {self.source.state}: {self.source.detail}"
            )
            time.sleep(0.01)

    def wait_state(self, *states: str, within: float = 20.0) -> None:
        deadline = time.perf_counter() + within
        while self.source.state not in states:
            assert time.perf_counter() < deadline, f"{self.source.state}: {self.source.detail}"
            time.sleep(0.01)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.slow
def test_an_rtsp_server_killed_and_restarted_twenty_times(capfd: pytest.CaptureFixture[str]) -> None:
    with rtsp_camera() as camera:
        how = replace(QUICK, max_silence_s=10.0)  # a killed server hangs up at once; a busy machine is no fault of the camera
        source = open_source(camera.address(), timeout=10.0, reconnect=how)
        pipeline = Pipeline(source, FakePredictor(), policy="all")
        events: list[Event] = []
        settled: tuple[int, int] = (0, 0)
        indices = []
        lives = 0
        with pipeline:
            for result in pipeline:
                indices.append(result.frame.index)
                events += result.events
                backs = sum(event.kind == "camera-back" for event in events)
                assert backs <= lives
                if backs == lives and len(indices) > 3 * (lives + 1):
                    if lives == 20:
                        break
                    camera.kill()
                    camera.start()
                    lives += 1
                    if lives == 4:
                        settled = open_files(), threading.active_count()
        counts = pipeline.ledger.counts()
    assert indices == list(range(len(indices)))
    assert Counter(event.kind for event in events) == {"camera-lost": 20, "camera-back": 20}
    assert counts.captured == counts.processed + counts.dropped + counts.failed + counts.skipped
    assert counts.failed == 0
    assert open_files() <= settled[0] + 1
    assert threading.active_count() <= settled[1]
    assert "was lost 20 times" in source.notes[-1]
    assert capfd.readouterr().err == ""


def test_a_camera_absent_at_the_start_and_there_later() -> None:
    camera = RtspCamera()
    with rtsp_camera() as other:
        camera.port = other.port  # a port that is free once this one is gone
    source = open_source(camera.address(), timeout=2.0, reconnect=QUICK)
    with Watcher(source) as watcher:
        time.sleep(0.6)
        assert source.state == "waiting"
        assert f"refuses connections on port {camera.port}" in source.detail
        try:
            camera.start()
            watcher.wait_frames(5)
            assert source.state == "live"
            assert watcher.kinds == {"camera-lost": 1, "camera-back": 1}
        finally:
            camera.kill()


def test_rtsp_over_udp_is_lost_without_a_word_and_comes_back() -> None:
    with rtsp_camera() as camera:
        source = open_source(
            camera.address("rtspu"),
            timeout=1.0,
            reconnect=ReconnectOptions(max_silence_s=1.0, initial_delay_s=0.05, max_delay_s=0.2),
        )
        with Watcher(source) as watcher:
            watcher.wait_frames(5)
            camera.kill()
            watcher.wait_state("stalled", "lost")
            camera.start()
            watcher.wait_frames(5)
        assert sum(watcher.kinds.values()) == 2
        assert watcher.kinds["camera-back"] == 1
        assert watcher.indices == list(range(len(watcher.indices)))


@pytest.mark.parametrize("scheme", ["rtsp", "rtspu"])
def test_an_rtsp_camera_that_hangs_is_stalled_and_comes_back(scheme: str) -> None:
    with rtsp_camera() as camera:
        how = ReconnectOptions(max_silence_s=1.0, initial_delay_s=0.05, max_delay_s=0.2)
        with Watcher(open_source(camera.address(scheme), timeout=1.0, reconnect=how)) as watcher:
            watcher.wait_frames(5)
            with camera.hanging():
                watcher.wait_state("stalled")
                time.sleep(1.0)
            watcher.wait_frames(5)
            assert watcher.kinds == {"camera-stalled": 1, "camera-back": 1}


@needs_httpx
def test_garbage_from_an_http_camera_then_recovery() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.bytes(20_000) for _ in range(3)]
    half = multipart(shade(10), b"\xff\xd8\xff\xe0" + rng.bytes(500), shade(20), *noise, shade(30))
    scripts = [
        lambda connection: connection.sendall(rng.bytes(5000)),
        lambda connection: connection.sendall(MULTIPART + rng.bytes(50_000)),
        lambda connection: connection.sendall(b"HTTP/1.1 500 Busy\r\n\r\n"),
        half,
        multipart(*(shade(value) for value in range(40, 90)), stay=5),
    ]
    with tcp_server(*scripts) as port, Watcher(open_source(f"http://127.0.0.1:{port}/", timeout=2.0, reconnect=QUICK)) as watcher:
        watcher.wait_frames(30)
        assert watcher.source.state == "live"
        assert watcher.indices == list(range(len(watcher.indices)))
        assert watcher.kinds["camera-back"] == 2


def test_garbage_from_an_rtsp_port_then_a_real_server(free_port: int, capfd: pytest.CaptureFixture[str]) -> None:
    garbage = os.urandom(20_000)
    camera = RtspCamera()
    camera.port = free_port
    source = open_source(camera.address(), timeout=1.0, reconnect=QUICK)
    with Watcher(source) as watcher:
        with tcp_server(lambda connection: connection.sendall(garbage), port=free_port):
            time.sleep(1.0)
            assert source.state == "waiting"
        try:
            camera.start()
            watcher.wait_frames(5)
        finally:
            camera.kill()
    assert capfd.readouterr().err == ""


@needs_httpx
def test_an_http_camera_that_sends_data_but_no_picture_is_given_up() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(MULTIPART)
        for _ in range(200):
            connection.sendall(b"--frame\r\nstill alive\r\n")
            time.sleep(0.05)

    how = ReconnectOptions(max_silence_s=0.5, initial_delay_s=0.05, max_delay_s=0.1, connect_timeout_s=math.inf)
    good = multipart(*(shade(value) for value in range(30)), stay=5)
    with tcp_server(drip, good) as port, Watcher(open_source(f"http://127.0.0.1:{port}/", timeout=0.5, reconnect=how)) as watcher:
        watcher.wait_frames(20)
        assert "data without an image" in str(watcher.events[0].details["reason"])


@needs_httpx
def test_an_http_camera_that_falls_silent_is_stalled_and_connected_anew() -> None:
    how = ReconnectOptions(max_silence_s=0.5, initial_delay_s=0.05, max_delay_s=0.1)
    scripts = [
        multipart(*(shade(value) for value in range(10)), stay=8),
        multipart(*(shade(value) for value in range(50)), stay=5),
    ]
    with tcp_server(*scripts) as port, Watcher(open_source(f"http://127.0.0.1:{port}/", timeout=0.5, reconnect=how)) as watcher:
        watcher.wait_frames(30)
        assert watcher.kinds == {"camera-stalled": 1, "camera-back": 1}


@needs_httpx
def test_the_size_of_an_http_camera_changes_in_mid_stream() -> None:
    small, large = (48, 64), (96, 128)
    pictures = [shade(value, small if value < 20 else large if value < 40 else small) for value in range(60)]
    play = multipart(*pictures, stay=5)
    with tcp_server(play) as port, Watcher(open_source(f"http://127.0.0.1:{port}/", timeout=2.0, reconnect=QUICK)) as watcher:
        wait_until(lambda: watcher.kinds["size-changed"] >= 2)
    assert [shape[:2] for shape in watcher.shapes] == [small, large, small]
    assert [event.details for event in watcher.events] == [
        {"from": [64, 48], "to": [128, 96]},
        {"from": [128, 96], "to": [64, 48]},
    ]


def test_the_size_of_an_rtsp_camera_changes_with_a_restart() -> None:
    options = "--codec", "h264", "--size", "320x240"
    with rtsp_camera(*options) as camera, Watcher(open_source(camera.address(), timeout=2.0, reconnect=QUICK)) as watcher:
        watcher.wait_frames(5)
        camera.kill()
        camera.start("--size", "160x120")
        watcher.wait_frames(5)
    assert [shape[:2] for shape in watcher.shapes] == [(240, 320), (120, 160)]
    assert watcher.kinds["size-changed"] == 1


@pytest.mark.parametrize(("first", "then"), [("320x240", "160x120"), ("160x120", "320x240")], ids=["smaller", "larger"])
def test_the_size_of_an_rtsp_camera_changes_in_mid_stream(first: str, then: str) -> None:
    options = "--size", first, "--then-size", then
    with rtsp_camera(*options) as camera, Watcher(open_source(camera.address(), timeout=2.0, reconnect=QUICK)) as watcher:
        wait_until(lambda: bool(watcher.kinds["size-changed"]))
        watcher.wait_frames(3)
        assert watcher.kinds == {"size-changed": 1}
    assert len(watcher.shapes) == 2


def test_h264_that_changes_its_size_in_mid_stream_is_a_whole_picture() -> None:
    """PyAV follows it; OpenCV scales it to the size that the stream began with."""
    options = "--codec", "h264", "--size", "320x240", "--then-size", "160x120"
    with rtsp_camera(*options) as camera, Watcher(open_source(camera.address(), timeout=2.0, reconnect=QUICK)) as watcher:
        watcher.wait_frames(5)
        assert watcher.last is not None
        before = watcher.last.image.copy()
        watcher.wait_frames(60)
        after = watcher.last.image
        assert after.shape == ((240, 320, 3) if find_spec("av") is None else (120, 160, 3))
        same = cv2.resize(after, (320, 240)).astype(int)
        edge = np.abs(same[:120].mean((0, 2)) - before[:120].mean((0, 2)))
        assert np.median(edge) < 12


def test_a_frozen_rtsp_camera_is_noticed_though_frames_arrive() -> None:
    how = ReconnectOptions(max_silence_s=2.0, initial_delay_s=0.05, max_delay_s=0.1, frozen_after_s=0.8)
    with (
        rtsp_camera("--pattern", "black") as camera,
        Watcher(open_source(camera.address(), timeout=2.0, reconnect=how)) as watcher,
    ):
        watcher.wait_state("frozen")
        watcher.wait_frames(40)
        assert watcher.source.state == "frozen"
        assert watcher.kinds == {"camera-frozen": 1}


@pytest.mark.parametrize("scheme", ["rtsp", "rtspu"])
@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_what_happens_before_an_rtsp_camera_is_seen_soon(codec: str, scheme: str) -> None:
    """Frames that queue up somewhere would show it many frames later."""
    options = "--codec", codec, "--gop", "250", "--pattern", "black"
    with rtsp_camera(*options) as camera, Watcher(open_source(camera.address(scheme), timeout=3.0, reconnect=QUICK)) as watcher:
        watcher.wait_frames(10)
        assert watcher.last is not None
        turned = watcher.last.index
        camera.turn_white()
        wait_until(lambda: watcher.last is not None and watcher.last.image.mean() >= 128)
        assert watcher.last.index - turned < 15  # of 25 a second


@needs_httpx
def test_the_first_picture_of_an_http_camera_is_there_at_once() -> None:
    with tcp_server(multipart(shade(7), stay=5)) as port:
        source = open_source(f"http://127.0.0.1:{port}/")
        frame = next(frames := iter(source))
        assert round(frame.image.mean()) == 7
        frames.close()


def test_a_dead_camera_holds_up_no_other(free_port: int) -> None:
    """OpenCV opens addresses one after the other unless told otherwise, and one that says nothing takes its whole timeout."""
    silent = socket.create_server(("127.0.0.1", free_port))
    with silent, rtsp_camera() as camera:
        how = ReconnectOptions(max_silence_s=6.0, initial_delay_s=0.05, connect_timeout_s=math.inf)
        with Watcher(open_source(f"rtsp://127.0.0.1:{free_port}/x", timeout=6.0, reconnect=how)) as dead:
            time.sleep(0.5)
            with Watcher(open_source(camera.address(), timeout=6.0, reconnect=how)) as alive:
                alive.wait_frames(3, within=5.0)
                assert dead.source.state == "waiting"


@pytest.mark.slow
@needs_httpx
def test_two_hundred_reconnects_leave_nothing_behind() -> None:
    with tcp_server(multipart(*(shade(value, (480, 640)) for value in range(3)), every=0.0)) as port:
        how = ReconnectOptions(initial_delay_s=0.001, max_delay_s=0.002)
        source = open_source(f"http://127.0.0.1:{port}/", timeout=2.0, reconnect=how)
        frames = iter(source)
        kept = _resources_after(source, frames, 50)
        later = _resources_after(source, frames, 250)
        frames.close()
    assert later[0] <= kept[0] + 2
    assert later[1] <= kept[1] + 1
    assert later[2] - kept[2] < 20  # a picture left behind each time would be 170


@pytest.mark.slow
def test_many_rtsp_connections_leave_nothing_behind() -> None:
    with rtsp_camera("--frames", "5") as camera:  # each client gets five frames, then the end
        source = open_source(camera.address(), timeout=2.0, reconnect=ReconnectOptions(initial_delay_s=0.001, max_delay_s=0.002))
        frames = iter(source)
        kept = _resources_after(source, frames, 10)
        later = _resources_after(source, frames, 40)
        frames.close()
    assert later[0] <= kept[0] + 2
    assert later[1] <= kept[1] + 1
    assert later[2] - kept[2] < 10


def _resources_after(source: Source, frames: Iterator[Frame], breaks: int) -> tuple[int, int, float]:
    """Open files, threads and resident MiB once the source was connected again so often.

    The server of the test is in this process: its side of a broken connection stays open for a moment, so the least of a second counts.
    """
    seen = 0
    for _ in frames:
        seen += sum(event.kind == "camera-back" for event in source.take_events())
        if seen >= breaks:
            break
    gc.collect()
    counts = []
    for _ in range(20):
        counts.append((open_files(), threading.active_count()))
        time.sleep(0.05)
    return min(files for files, _ in counts), min(threads for _, threads in counts), resident_mib()
