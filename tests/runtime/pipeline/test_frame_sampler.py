"""Which frames are looked at: every N-th, so many a second, where something moves, while not paused."""

from __future__ import annotations

import threading
import time

import pytest

from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.types import Image
from tests.runtime.pipeline.harness import balances, brightness, by_camera, wait_until

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_every_nth_frame_is_looked_at_and_the_others_are_skipped() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(10), FakePredictor(), every=3)]) as run:
        assert by_camera(list(run)) == {"a": [0, 3, 6, 9]}
    assert run.cameras["a"].ledger.counts() == FrameCounts(captured=10, processed=4, skipped=6)


def test_max_frames_counts_what_was_looked_at() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(None), FakePredictor(), every=3)], max_frames=4) as run:
        assert by_camera(list(run)) == {"a": [0, 3, 6, 9]}
    counts = run.cameras["a"].ledger.counts()
    assert counts == FrameCounts(captured=10, processed=4, skipped=6)


def test_max_fps_of_a_file_counts_by_its_own_frame_rate() -> None:
    source = FakeSource(30)
    source.fps = 30.0
    with MultiCamera([CameraSetup("a", source, FakePredictor(), max_fps=10)]) as run:
        assert by_camera(list(run)) == {"a": list(range(0, 30, 3))}


def test_max_fps_of_a_camera_skips_frames() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(60, fps=200), FakePredictor(), max_fps=20)]) as run:
        got = len(list(run))
    counts = run.cameras["a"].ledger.counts()
    assert 1 < got < 30
    assert counts.skipped >= 30
    assert balances(counts)


def test_a_gate_decides_in_the_capture_thread() -> None:
    names: set[str] = set()

    def bright(image: Image) -> bool:
        names.add(threading.current_thread().name)
        return brightness(image) >= 5

    with MultiCamera([CameraSetup("a", FakeSource(8), FakePredictor(), gate=bright)]) as run:
        assert by_camera(list(run)) == {"a": [5, 6, 7]}
    assert run.cameras["a"].ledger.counts() == FrameCounts(captured=8, processed=3, skipped=5)
    assert names == {"edgecnn-capture-a"}


def test_a_paused_camera_is_read_and_not_looked_at() -> None:
    controls = Controls()
    with MultiCamera([CameraSetup("a", FakeSource(None, fps=200), FakePredictor())], controls=controls) as run:
        results = iter(run)
        next(results)
        camera = run.cameras["a"]
        assert camera.state == "live"
        controls.change(paused=frozenset({"a"}))
        assert run.cameras["a"].state == "paused"
        before = camera.ledger.counts().skipped
        wait_until(lambda: camera.ledger.counts().skipped > before + 5)
        controls.change(paused=frozenset())
        seen = camera.ledger.counts().captured
        assert max(next(results).frame.index for _ in range(5)) >= seen
    assert balances(camera.ledger.counts())


def test_a_paused_file_waits() -> None:
    controls = Controls()
    with MultiCamera([CameraSetup("a", FakeSource(60), FakePredictor())], controls=controls) as run:
        results = iter(run)
        first = next(results).frame.index
        controls.change(paused=frozenset({"a"}))
        time.sleep(0.1)
        captured = run.cameras["a"].ledger.counts().captured
        time.sleep(0.1)
        assert run.cameras["a"].ledger.counts().captured == captured
        threading.Timer(0.05, lambda: controls.change(paused=frozenset())).start()
        rest = [result.frame.index for result in results]
    assert [first, *rest] == list(range(60))
