"""Cameras behind a bad line: latency, loss, and a network that is gone for a while."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.link import THERE, BadLink
from tests.runtime.peers import RtspCamera

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

    def __init__(self, link: BadLink, camera: RtspCamera, seconds: float, scheme: str = "rtsp") -> None:
        script = Path(__file__).with_name("watch_camera.py")
        address = f"{scheme}://{THERE}:{camera.port}/camera"
        words = [*link.inside(0), sys.executable, str(script), address, str(seconds)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._limit = seconds + 60

    def result(self) -> dict[str, Any]:
        out, err = self._process.communicate(timeout=self._limit)
        assert not err
        found: dict[str, Any] = json.loads(out)
        assert found["balance"] == 0
        assert found["stuck"] == []
        return found


@pytest.mark.parametrize("scheme", ["rtsp", "rtspu"])
def test_latency_of_100_ms_and_5_percent_loss(link: BadLink, camera: RtspCamera, scheme: str) -> None:
    link.delay, link.loss = 0.05, 0.05
    found = Watching(link, camera, 12.0, scheme).result()
    assert link.lost > 0
    assert found["frames"] > 60
    assert found["state"] == "ended"
    assert len(found["events"]) <= 4  # not even one where the machine is not busy


@pytest.mark.parametrize(("seconds", "scheme"), [(6.0, "rtsp"), (6.0, "rtspu"), (60.0, "rtsp")])
def test_the_network_is_gone_for_a_while(link: BadLink, camera: RtspCamera, seconds: float, scheme: str) -> None:
    watching = Watching(link, camera, seconds + 14.0, scheme)
    time.sleep(6.0)
    link.gone = True
    time.sleep(seconds)
    link.gone = False
    found = watching.result()
    assert found["frames"] > 25
    assert found["events"] == ["camera-stalled", "camera-back"]
    assert seconds - 1 < found["longest_gap"] < seconds + 8
