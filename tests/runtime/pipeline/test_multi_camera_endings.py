"""Cameras, models and steps that fail end alone and say why; ledgers balance in every end state."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from edgecnn.errors import BackendError, SourceError
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.testing import FakePredictor, FakeSource, one_box
from edgecnn.types import Event, Image, Prediction
from tests.runtime.pipeline.harness import LATE, Numbered, balances, brightness, by_camera, failing_at

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_a_camera_that_breaks_ends_alone_and_says_why() -> None:
    shared = FakePredictor()
    broken = FakeSource(3, error=SourceError("the cable is cut", "plug it in"))
    heard: list[Event] = []
    plans = [CameraSetup("good", FakeSource(40), shared), CameraSetup("bad", broken, shared)]
    with MultiCamera(plans, on_event=heard.append) as run:
        found = by_camera(list(run))
    assert found == {"good": list(range(40)), "bad": [0, 1, 2]}
    bad = run.cameras["bad"]
    assert (bad.state, bad.detail) == ("failed", "the cable is cut; plug it in")
    assert isinstance(bad.error, SourceError)
    assert [(event.kind, event.camera) for event in heard] == [("camera-failed", "bad")]
    assert list(run.events) == heard


def test_where_all_cameras_broke_the_first_error_is_raised() -> None:
    shared = FakePredictor()
    plans = [CameraSetup(name, FakeSource(2, error=SourceError(f"{name} broke", "mend it")), shared) for name in ("one", "two")]
    with pytest.raises(SourceError, match="one broke"), MultiCamera(plans) as run:
        list(run)
    assert {name: camera.ledger.counts().processed for name, camera in run.cameras.items()} == {"one": 2, "two": 2}


def test_a_model_that_fails_on_a_file_ends_that_camera_alone() -> None:
    plans = [
        CameraSetup("bad", FakeSource(50), FakePredictor(failing_at(5))),
        CameraSetup("good", FakeSource(50), FakePredictor()),
    ]
    with MultiCamera(plans, workers=2) as run:
        found = by_camera(list(run))
    assert found == {"bad": [0, 1, 2, 3, 4], "good": list(range(50))}
    counts = run.cameras["bad"].ledger.counts()
    assert (counts.processed, counts.failed) == (5, 1)
    assert balances(counts)


def test_a_live_camera_outlives_single_failures_of_the_model_and_tells_of_them() -> None:
    source = FakeSource(30, fps=500)
    with MultiCamera([CameraSetup("a", source, FakePredictor(failing_at(3, 4, 20)), policy="all")]) as run:
        results = list(run)
    assert [result.frame.index for result in results] == [n for n in range(30) if n not in (3, 4, 20)]
    assert run.cameras["a"].ledger.counts() == FrameCounts(captured=30, processed=27, failed=3)
    assert [event.kind for event in run.events] == ["inference-failed"] * 2
    assert [event.kind for event in results[3].events] == ["inference-failed"]


def test_a_model_that_always_fails_ends_a_live_camera() -> None:
    with (
        pytest.raises(BackendError),
        MultiCamera([CameraSetup("a", FakeSource(None, fps=500), FakePredictor(failing_at(*range(256))))]) as run,
    ):
        list(run)
    assert run.cameras["a"].ledger.counts().failed == 11


def test_workers_that_can_not_be_made_end_the_cameras_of_that_model_alone() -> None:
    class Broken(FakePredictor):
        def worker(self) -> Callable[[Image], tuple[Prediction, dict[str, float]]]:
            raise MemoryError("no room for buffers")

    plans = [CameraSetup("bad", FakeSource(None), Broken()), CameraSetup("good", FakeSource(10), FakePredictor())]
    with MultiCamera(plans, workers=2) as run:
        assert by_camera(list(run)) == {"good": list(range(10))}
        assert run.cameras["bad"].state == "failed"
        assert "no room" in run.cameras["bad"].detail


def test_a_step_that_raises_ends_its_file_and_no_other() -> None:
    plans = [
        CameraSetup("bad", FakeSource(20), FakePredictor(), steps=[Numbered(fails_at=4)]),
        CameraSetup("good", FakeSource(20), FakePredictor()),
    ]
    with MultiCamera(plans) as run:
        assert by_camera(list(run)) == {"bad": [0, 1, 2, 3], "good": list(range(20))}
    assert run.cameras["bad"].ledger.counts().failed == 1
    assert balances(run.cameras["bad"].ledger.counts())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_hangs_does_not_hold_the_caller(workers: int) -> None:
    released, reached, returned = threading.Event(), threading.Event(), threading.Event()

    def hangs(image: Image) -> Prediction:
        if brightness(image) == 2:
            reached.set()
            released.wait(LATE)
            returned.set()
        return one_box(image)

    plans = [CameraSetup("hangs", FakeSource(None), FakePredictor(hangs)), CameraSetup("good", FakeSource(30), FakePredictor())]
    with MultiCamera(plans, workers=workers) as run:
        found = by_camera([result for _, result in zip(range(32), run, strict=False)])
        assert reached.wait(LATE)
    assert not returned.is_set()  # the caller is here while the model still hangs
    assert (found["hangs"], found["good"]) == ([0, 1], list(range(30)))
    assert run.stuck in [[f"edgecnn-infer-{worker}"] for worker in range(workers)]
    assert balances(run.cameras["hangs"].ledger.counts())
    released.set()


def test_a_camera_that_falls_silent_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("edgecnn.runtime.testing.hang", lambda _: released.wait(LATE))
    monkeypatch.setattr("edgecnn.runtime.pipeline.camera_stream.SILENCE_GRACE_S", 0.1)
    shared = FakePredictor()
    plans = [
        CameraSetup("silent", FakeSource(None, hang=2, timeout=0.1), shared),
        CameraSetup("good", FakeSource(40, fps=20), shared),
    ]
    with MultiCamera(plans) as run:
        found = by_camera(list(run))
    released.set()
    assert found["silent"] == [0, 1]
    assert len(found["good"]) > 5
    assert run.cameras["silent"].state == "failed"
    assert "gave no frame for" in run.cameras["silent"].detail
    assert run.cameras["good"].error is None


@dataclass
class Chance:
    """What may go wrong in one run, drawn by a seed."""

    seed: int

    def plan(self, name: str, rng: random.Random, shared: FakePredictor) -> CameraSetup:
        live = rng.random() < 0.5
        error = SourceError("bad luck", "try again") if rng.random() < 0.3 else None
        source = FakeSource(
            rng.choice([None, 0, 1, 25]) if not error else 12,
            fps=rng.choice([200.0, 1000.0]) if live else None,
            size=(8, 8),
            unreadable=frozenset(rng.sample(range(20), rng.choice([0, 4]))),
            error=error,
        )
        own = FakePredictor(failing_at(*rng.sample(range(30), rng.choice([0, 0, 3]))), delay=rng.choice([0, 0.002]))
        return CameraSetup(
            name,
            source,
            rng.choice([shared, own]),
            policy=rng.choice([None, "latest", "all"]),
            steps=[Numbered(fails_at=rng.choice([None, None, 7]))],
            every=rng.choice([1, 1, 2]),
            max_fps=rng.choice([None, 100.0]),
            gate=rng.choice([None, lambda image: brightness(image) % 3 > 0]),
        )


@pytest.mark.parametrize("seed", range(25))
def test_ledgers_balance_in_every_end_state(seed: int) -> None:
    """Random sources, failures, policies, and ways to end; whatever happens, each frame has one fate and no thread is left."""
    rng = random.Random(seed)
    shared = FakePredictor(delay=rng.choice([0, 0.001]))
    plans = [Chance(seed).plan(f"c{n}", rng, shared) for n in range(rng.choice([1, 2, 4]))]
    run = MultiCamera(plans, workers=rng.choice([1, 3]), max_frames=rng.choice([None, 15]))
    gone = []
    end = rng.choice(["break", "stop", "remove", "raise"])
    limit, until = rng.randrange(60), time.perf_counter() + 0.5
    heads: Counter[str] = Counter()
    try:
        with run:
            timer = threading.Timer(0.5, run.stop)
            timer.start()
            for count, result in enumerate(run):
                heads[result.camera] += 1
                if count == limit and end == "remove":
                    gone.append(run.remove(result.camera))
                elif count == limit and end == "raise":
                    raise ZeroDivisionError
                elif count == limit and end == "stop":
                    run.stop()
                elif (count == limit and end == "break") or time.perf_counter() > until:
                    break
    except (SourceError, BackendError, ZeroDivisionError):
        pass
    timer.cancel()
    timer.join()
    assert run.stuck == []  # all threads ended within STOP_WITHIN_S
    for camera in (*gone, *run.cameras.values()):
        counts = camera.ledger.counts()
        assert balances(counts), counts
        assert counts.in_flight == 0
        assert abs(counts.processed - heads[camera.name]) <= 0
        assert camera.state in ("ended", "failed")
        assert np.isfinite(camera.stats().throughput_fps)
