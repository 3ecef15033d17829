"""Cameras behind a bad line: latency, loss, and a network that is gone for a while."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.sources.link import THERE, BadLink
from tests.runtime.sources.peers import RtspCamera

pytestmark = pytest.mark.slow


@pytest.fixture
def link() -> Iterator[BadLink]:
    with BadLink() as link:
        yield link


@pytest.fixture
def camera(link: BadLink) -> Iterator[RtspCamera]:
    camera = RtspCamera("--address", THERE, before=link.inside(1))
    try:
        yield camera.start()
    finally:
        camera.kill()


class Watching:
    """A process at the near end of the line that watches the camera at the far end."""

    def __init__(self, link: BadLink, camera: RtspCamera, scheme: str, *, silence: float) -> None:
        script = Path(__file__).with_name("watch_camera.py")
        address = f"{scheme}://{THERE}:{camera.port}/camera"
        words = [*link.inside(0), sys.executable, str(script), address, str(silence)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def wait_for(self, line: str, within: float = 120.0) -> None:
        """Wait until the process prints this line."""
        while self._lines.get(timeout=within) != line:
            pass

    def end(self) -> dict[str, Any]:
        """Tell the process to end, and give what it says."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        line = ""
        while not line.startswith("{"):
            line = self._lines.get(timeout=30)
        found: dict[str, Any] = json.loads(line)
        assert found["balance"] == 0
        assert found["stuck"] == []
        assert found["state"] == "ended"
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())


@pytest.mark.parametrize("scheme", ["rtsp", "rtspu"])
def test_latency_of_100_ms_and_5_percent_loss(link: BadLink, camera: RtspCamera, scheme: str) -> None:
    link.delay, link.loss = 0.05, 0.05
    with Watching(link, camera, scheme, silence=10.0) as watching:
        watching.wait_for("frames 201")
        found = watching.end()
    assert link.lost > 10
    assert found["events"] == []


@pytest.mark.parametrize(("seconds", "scheme"), [(6.0, "rtsp"), (6.0, "rtspu"), (60.0, "rtsp")])
def test_the_network_is_gone_for_a_while(link: BadLink, camera: RtspCamera, seconds: float, scheme: str) -> None:
    with Watching(link, camera, scheme, silence=2.0) as watching:
        watching.wait_for("frames 26")
        link.gone = True
        time.sleep(seconds)
        link.gone = False
        watching.wait_for("camera-back")
        found = watching.end()
    assert found["events"] == ["camera-stalled", "camera-back"]
    assert seconds - 1 < found["longest_gap"] < seconds + 30
