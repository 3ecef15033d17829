"""Several cameras at once: fair, apart from each other, to be changed at run time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from edgecnn.runtime.pipeline.camera_stream import InferStrategy
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, InferFunction, MultiCamera
from edgecnn.runtime.testing import FakePredictor, FakeSource, one_box
from edgecnn.types import Event, Image, Prediction, Result
from tests.runtime.pipeline.harness import Numbered, balances, brightness, by_camera, wait_until

pytestmark = pytest.mark.usefixtures("no_thread_left")


@pytest.mark.parametrize("workers", [1, 3])
def test_each_camera_has_its_results_in_order_and_none_is_lost(workers: int) -> None:
    def uneven(image: Image) -> Prediction:
        time.sleep(0.002 * (brightness(image) % 3))
        return one_box(image)

    predictor = FakePredictor(uneven)
    counts = {"a": 30, "b": 7, "c": 0, "d": 19}
    with MultiCamera([CameraSetup(name, FakeSource(n), predictor) for name, n in counts.items()], workers=workers) as run:
        found = by_camera(list(run))
    assert found == {name: list(range(n)) for name, n in counts.items() if n}
    assert {name: camera.ledger.counts() for name, camera in run.cameras.items()} == {
        name: FrameCounts(captured=n, processed=n) for name, n in counts.items()
    }
    assert {camera.state for camera in run.cameras.values()} == {"ended"}


def test_cameras_with_models_of_their_own_do_not_wait_for_each_other() -> None:
    slow, quick = FakePredictor(delay=0.5), FakePredictor()
    with MultiCamera([CameraSetup("slow", FakeSource(None), slow), CameraSetup("quick", FakeSource(20), quick)]) as run:
        names = [result.camera for result, _ in zip(run, range(20), strict=False)]
    assert names.count("quick") >= 18


def test_a_fast_camera_does_not_starve_a_slow_one() -> None:
    shared = FakePredictor(delay=0.004)
    plans = [CameraSetup("file", FakeSource(None), shared), CameraSetup("slow", FakeSource(None, fps=20), shared)]
    with MultiCamera(plans) as run:
        seen: Counter[str] = Counter()
        for result in run:
            seen[result.camera] += 1
            if seen["slow"] == 12:
                break
        slow = run.cameras["slow"].ledger.counts()
    assert seen["file"] > seen["slow"]
    assert slow.dropped - slow.unfinished <= 2


def test_cameras_that_look_in_their_own_way_share_the_workers() -> None:
    threads: dict[str, set[str]] = {"left": set(), "right": set(), "whole": set()}

    def looking(name: str) -> InferStrategy:
        def look(work: InferFunction, image: Image) -> tuple[Prediction, dict[str, float]]:
            threads[name].add(threading.current_thread().name)
            prediction, spent = work(image)
            return prediction, spent | {"preprocess": 7.0}

        return look

    shared = FakePredictor()
    plans = [CameraSetup(name, FakeSource(10), shared, strategy=looking(name)) for name in ("left", "right")]
    with MultiCamera([*plans, CameraSetup("whole", FakeSource(10), shared)], workers=1) as run:
        results = list(run)
    assert by_camera(results) == {name: list(range(10)) for name in threads}
    assert threads == {"left": {"edgecnn-infer-0"}, "right": {"edgecnn-infer-0"}, "whole": set()}
    assert {result.stage_ms["preprocess"] == 7.0 for result in results if result.camera != "whole"} == {True}


def test_with_one_worker_cameras_take_turns() -> None:
    shared = FakePredictor(delay=0.002)
    with MultiCamera([CameraSetup(name, FakeSource(None), shared) for name in "abc"], max_frames=20) as run:
        order = [result.camera for result in run]
    assert Counter(order) == {"a": 20, "b": 20, "c": 20}
    assert max(abs(order[:30].count("a") - order[:30].count(name)) for name in "bc") <= 4


def test_steps_see_every_result_in_order_in_one_thread_and_their_time_is_booked() -> None:
    steps = {name: Numbered() for name in "ab"}
    predictor = FakePredictor()
    with MultiCamera([CameraSetup(n, FakeSource(25), predictor, steps=[step]) for n, step in steps.items()], workers=3) as run:
        results = list(run)
    assert all(step.seen == list(range(25)) and len(step.threads) == 1 for step in steps.values())
    assert all(result.stage_ms["track"] >= 0 and result.events[0].details["index"] == result.frame.index for result in results)
    assert run.cameras["a"].stats().stage_ms["track"].count == 25
    assert Counter(event.camera for event in run.events) == {"a": 25, "b": 25}


@pytest.mark.parametrize("wrong", [{"every": 0}, {"max_fps": 0.0}], ids=str)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="every must be at least 1"):
        MultiCamera([CameraSetup("a", FakeSource(1), FakePredictor(), **wrong)])


def test_two_cameras_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two cameras have the name 'a'"):
        MultiCamera([CameraSetup("a", FakeSource(1), FakePredictor()) for _ in range(2)])


def test_results_older_than_allowed_are_counted_and_told_once_a_stretch() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(5), FakePredictor(delay=0.02), max_age_ms=10.0)]) as run:
        results = list(run)
    camera = run.cameras["a"]
    assert camera.late == camera.stats().late == 5
    assert [event.kind for event in run.events] == ["late"]
    assert [len(result.events) for result in results] == [1, 0, 0, 0, 0]
    assert results[0].events[0].details["max_age_ms"] == 10.0


def test_cameras_come_and_go_at_run_time() -> None:
    shared = FakePredictor()
    with MultiCamera([CameraSetup("a", FakeSource(None, fps=300), shared)], keep_running=True) as run:
        results = iter(run)
        assert next(results).camera == "a"
        run.add(CameraSetup("b", FakeSource(None, fps=300), shared))
        wait_for(results, "b")
        gone = run.remove("a")
        assert (gone.state, gone.ledger.counts().in_flight) == ("ended", 0)
        assert "a" not in run.cameras
        assert all(next(results).camera == "b" for _ in range(10))
        run.add(CameraSetup("a", FakeSource(None, fps=300), FakePredictor()))
        wait_for(results, "a")
        run.remove("b")
        wait_until(lambda: "edgecnn-capture-b" not in {thread.name for thread in threading.enumerate()})
    assert [balances(camera.ledger.counts()) for camera in (gone, *run.cameras.values())] == [True, True]


def wait_for(results: Iterator[Result], name: str) -> None:
    assert any(next(results).camera == name for _ in range(200))


def test_removing_the_last_camera_ends_the_iteration_unless_it_stays() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(None), FakePredictor())]) as run:
        for _ in run:
            if "a" in run.cameras:
                run.remove("a")
    assert not run.cameras


def test_a_removed_camera_frees_the_workers_of_its_model() -> None:
    plans = [
        CameraSetup("a", FakeSource(None, fps=100), FakePredictor()),
        CameraSetup("b", FakeSource(None, fps=100), FakePredictor()),
    ]
    with MultiCamera(plans) as run:
        next(iter(run))
        run.remove("a")
        wait_until(lambda: sum(t.name.startswith("edgecnn-infer") for t in threading.enumerate()) == 1)


class Telling(FakeSource):
    """A source with something to tell and a state of its own."""

    told = False

    def __init__(self) -> None:
        super().__init__(None, fps=50)
        self.state, self.detail = "lost", "no route to host"

    def take_events(self) -> list[Event]:
        told, self.told = self.told, True
        return [] if told else [Event("camera-lost", 1.0)]


def test_events_of_a_source_are_told_at_once_and_go_with_its_next_result() -> None:
    heard: list[Event] = []
    with MultiCamera([CameraSetup("a", Telling(), FakePredictor())], on_event=heard.append) as run:
        first = next(iter(run))
        assert (run.cameras["a"].state, run.cameras["a"].detail) == ("lost", "no route to host")
        results = [first, *(result for result, _ in zip(run, range(5), strict=False))]
    assert [(event.kind, event.camera) for event in heard] == [("camera-lost", "a")]
    assert [event.kind for result in results for event in result.events] == ["camera-lost"]


def test_a_camera_without_a_frame_is_waiting() -> None:
    with MultiCamera([CameraSetup("a", FakeSource(None, fps=0.01), FakePredictor())]) as run:
        run.add(CameraSetup("b", FakeSource(0), FakePredictor()))
        wait_until(lambda: run.cameras["a"].ledger.counts().captured == 1)
        assert run.cameras["a"].state == "live"
    assert MultiCamera([CameraSetup("a", FakeSource(1), FakePredictor())]).cameras["a"].state == "waiting"


def test_a_watchdog_is_fed_while_no_frame_comes() -> None:
    turns: list[float] = []
    plan = CameraSetup("a", FakeSource(None, fps=0.02), FakePredictor())
    with MultiCamera([plan], on_poll=lambda: turns.append(time.perf_counter())) as run:
        timer = threading.Timer(1.0, run.stop)
        timer.start()
        assert len(list(run)) == 1
        timer.join()
    assert len(turns) >= 2
