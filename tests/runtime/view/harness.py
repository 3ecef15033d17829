"""A run that is watched, for the tests of the live view: fake cameras that move, on a real MultiCamera, served by a real uvicorn."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.runtime.view.auth import Access
from edgecnn.runtime.view.live_view import LiveView
from edgecnn.runtime.view.protocols import MonitoredSink
from edgecnn.types import Image, Result


class PlainPainter:
    """Counts what it paints."""

    def __init__(self) -> None:
        self.painted = 0

    def paint(self, result: Result) -> Image:
        self.painted += 1
        return result.frame.image


class SilentSource(Source):
    """A camera that is lost and says so."""

    state, detail = "lost", "no answer from rtsp://***@camera/stream, next try in 8 s"

    def __init__(self) -> None:
        super().__init__("rtsp://***@camera/stream", live=True, timeout=60.0)

    def _frames(self) -> Generator[Any, None, None]:
        while not self._closed.wait(0.05):
            pass
        return
        yield


@dataclass
class FakeCounts:
    written: int = 7
    dropped: int = 2
    failed: int = 0


@dataclass
class FakeSink:
    name: str = "mqtt"
    state: str = "failing"
    detail: str = "the broker does not answer"
    counts: FakeCounts = field(default_factory=FakeCounts)


def multi_camera_of(cameras: dict[str, Source]) -> MultiCamera:
    """A MultiCamera of these cameras that share a model; results older than half a second are late."""
    predictor = FakePredictor()
    return MultiCamera([CameraSetup(name, source, predictor, max_age_ms=500.0) for name, source in cameras.items()])


class Watching:
    """A run in a thread of its own, and what a viewer asks it over HTTP."""

    def __init__(
        self,
        cameras: dict[str, Source],
        access: Access,
        *,
        labels: Sequence[str] = ("thing", "other"),
        sinks: Callable[[], Sequence[MonitoredSink]] = tuple,
        metrics: Any = None,
    ) -> None:
        self.multi_camera = multi_camera_of(cameras)
        self.painters = {name: PlainPainter() for name in cameras}
        self.view = LiveView(
            self.multi_camera, self.multi_camera.controls, access, title="fake.onnx", sinks=sinks, metrics=metrics
        )
        for name, painter in self.painters.items():
            self.view.add_camera(name, labels, painter)
        self.port = access.port
        self.results = 0
        self._thread = threading.Thread(target=self._run, name="run")

    def __enter__(self) -> Watching:
        self.view.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.multi_camera.stop()
        self._thread.join(10)
        self.view.close()

    def _run(self) -> None:
        with self.multi_camera:
            for result in self.multi_camera:
                self.results += 1
                self.view.write(result)

    def ask(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of one request; underscores in header names become dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, named = json.dumps(body).encode(), {"content-type": "application/json", **named}
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def state(self, query: str = "", **headers: str) -> Any:
        """The state, which has to be given."""
        status, _, body = self.ask(f"/api/state{query}", **headers)
        assert status == 200, body
        return json.loads(body)

    def until(self, holds: Callable[[Any], bool], seconds: float = 60.0) -> Any:
        """The first state that fulfils this."""
        deadline = time.monotonic() + seconds
        while not holds(state := self.state()):
            assert time.monotonic() < deadline, state
            time.sleep(0.05)
        return state


@contextmanager
def watching(**options: Any) -> Iterator[Watching]:
    """One camera "door" at 20 frames per second, or ``cameras``, on a free port."""
    cameras = options.pop("cameras", None) or {"door": MovingSource()}
    access = options.pop("access", None) or Access("127.0.0.1", 0)
    with Watching(cameras, access, **options) as run:
        yield run


class MovingSource(FakeSource):
    """A picture whose brightness changes with each frame."""

    def __init__(self, fps: float = 20.0, size: tuple[int, int] = (120, 160)) -> None:
        super().__init__(None, fps=fps, size=size)


def decoded(jpeg: bytes) -> Image:
    """The picture."""
    import cv2

    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)
