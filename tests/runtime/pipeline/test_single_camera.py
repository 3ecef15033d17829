"""The live pipeline: order, policies, errors, shutdown, and a ledger that balances in every end state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import BackendError, SourceError
from edgecnn.runtime import pipeline as pipeline_module
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources import Source
from edgecnn.runtime.testing import FakePredictor, FakeSource, one_box
from edgecnn.types import Frame, Image, Prediction
from tests.runtime.pipeline.harness import brightness

LATE = 10.0
pytestmark = pytest.mark.usefixtures("no_thread_left")


def uneven(image: Image) -> Prediction:
    """Frames take turns at being slow, so that workers overtake each other."""
    time.sleep(0.004 * (brightness(image) % 3))
    return one_box(image)


class Gate:
    """A predictor's function that holds at the first frame until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, image: Image) -> Prediction:
        self.reached.set()
        assert self.opened.wait(LATE)
        return one_box(image)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + LATE
    while not condition():
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.002)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_frame_order_and_none_is_lost(workers: int) -> None:
    with Pipeline(FakeSource(40), FakePredictor(uneven), workers=workers) as pipeline:
        seen = [(result.frame.index, brightness(result.frame.image)) for result in pipeline]
        assert pipeline.ledger.counts() == FrameCounts(captured=40, processed=40)
    assert seen == [(index, index) for index in range(40)]


def test_as_many_frames_are_inferred_at_once_as_there_are_workers() -> None:
    predictor = FakePredictor(delay=0.01)
    with Pipeline(FakeSource(30), predictor, workers=3) as pipeline:
        assert sum(1 for _ in pipeline) == 30
    assert predictor.peak == 3


def test_threads_are_named_and_the_device_is_released_by_the_one_that_opened_it() -> None:
    source = FakeSource(None)
    with Pipeline(source, FakePredictor(), workers=2) as pipeline:
        next(iter(pipeline))
        names = {thread.name for thread in threading.enumerate()}
    assert {"edgecnn-capture", "edgecnn-infer-0", "edgecnn-infer-1"} <= names
    assert source.released_in == "edgecnn-capture"


class TwoParts(Source):
    """One frame, and nine more once it is told to."""

    def __init__(self) -> None:
        super().__init__("two parts", live=True)
        self.go_on = threading.Event()

    def _frames(self) -> Generator[Frame, None, None]:
        for index in range(10):
            if index == 1:
                assert self.go_on.wait(LATE)
            yield Frame(index, time.perf_counter(), np.full((8, 8, 3), index, np.uint8))


def test_latest_gives_the_newest_frame_and_counts_every_drop() -> None:
    gate, source = Gate(), TwoParts()
    with Pipeline(source, FakePredictor(gate)) as pipeline:
        assert gate.reached.wait(LATE)
        source.go_on.set()
        wait_until(lambda: pipeline.ledger.counts().dropped == 8)
        gate.opened.set()
        assert [result.frame.index for result in pipeline] == [0, 9]
    assert pipeline.ledger.counts() == FrameCounts(captured=10, processed=2, dropped=8)


def test_a_slow_model_on_a_fast_camera_piles_nothing_up() -> None:
    """What is under way stays three frames however long it runs, so that the age of a result has a bound."""
    with Pipeline(FakeSource(None, fps=500), FakePredictor(delay=0.02), max_frames=25) as pipeline:
        assert pipeline.policy == "latest"
        for _ in pipeline:
            assert pipeline.ledger.counts().in_flight <= 3  # just captured, in the slot, at work or ready
    assert pipeline.ledger.counts().dropped > pipeline.ledger.counts().processed


def test_a_slow_caller_gets_frames_that_were_new_when_it_was_free() -> None:
    """With latest, no finished result lies about while the caller is busy: the worker begins when the result before is taken."""
    started: list[int] = []

    def note(image: Image) -> Prediction:
        started.append(brightness(image))
        return one_box(image)

    with Pipeline(FakeSource(None, fps=200), FakePredictor(note), max_frames=10) as pipeline:
        for result in pipeline:
            assert len(started) <= pipeline.ledger.counts().processed + 1
            assert started[pipeline.ledger.counts().processed - 1] == result.frame.index % 256
            time.sleep(0.02)


def test_all_holds_the_source_back_while_the_caller_is_slow() -> None:
    with Pipeline(FakeSource(None), FakePredictor(), policy="all", workers=2) as pipeline:
        results = iter(pipeline)
        next(results)
        time.sleep(0.1)
        captured = pipeline.ledger.counts().captured
        time.sleep(0.1)
        assert pipeline.ledger.counts().captured == captured
        assert captured <= 1 + 2 * 2 + 3 + 1  # handed over, on their way in order, in the mailbox, in the sender's hand


def test_policy_follows_the_source() -> None:
    assert Pipeline(FakeSource(1), FakePredictor()).policy == "all"
    assert Pipeline(FakeSource(1, fps=30), FakePredictor()).policy == "latest"


def test_unreadable_frames_are_counted_as_failed_and_the_run_goes_on() -> None:
    source = FakeSource(6, unreadable=frozenset({0, 3, 5}))
    with Pipeline(source, FakePredictor()) as pipeline:
        assert [result.frame.index for result in pipeline] == [1, 2, 4]
    assert pipeline.ledger.counts() == FrameCounts(captured=6, processed=3, failed=3)


def test_an_error_of_the_source_is_raised_after_the_results_before_it() -> None:
    broken = SourceError("the cable is cut", "plug it in")
    seen: list[int] = []
    pipeline = Pipeline(FakeSource(12, error=broken), FakePredictor(uneven), workers=3)
    with pytest.raises(SourceError, match="the cable is cut"), pipeline:
        seen.extend(result.frame.index for result in pipeline)
    assert seen == list(range(12))
    assert pipeline.ledger.counts() == FrameCounts(captured=12, processed=12)


def test_an_error_of_the_model_is_raised_in_its_turn_and_the_frame_is_failed() -> None:
    def fifth_fails(image: Image) -> Prediction:
        if brightness(image) == 5:
            raise BackendError("the engine is broken", "mend it")
        return uneven(image)

    seen: list[int] = []
    pipeline = Pipeline(FakeSource(50), FakePredictor(fifth_fails), workers=3)
    with pytest.raises(BackendError, match="the engine is broken"), pipeline:
        seen.extend(result.frame.index for result in pipeline)
    counts = pipeline.ledger.counts()
    assert seen == [0, 1, 2, 3, 4]
    assert (counts.processed, counts.failed, counts.in_flight) == (5, 1, 0)
    assert counts.captured == 6 + counts.unfinished


def test_a_worker_that_can_not_be_made_is_raised() -> None:
    class Broken(FakePredictor):
        def worker(self) -> pipeline_module.Worker:
            raise MemoryError("no room for buffers")

    with pytest.raises(MemoryError, match="no room"), Pipeline(FakeSource(None), Broken(), workers=2) as pipeline:
        list(pipeline)


@pytest.mark.parametrize("policy", ["latest", "all"])
def test_leaving_early_stops_everything_and_balances(policy: pipeline_module.Policy) -> None:
    pipeline = Pipeline(FakeSource(None), FakePredictor(delay=0.005), policy=policy, workers=2)
    with pipeline:
        for result in pipeline:
            if result.frame.index >= 3:
                break
    assert pipeline.ledger.counts().in_flight == 0
    assert pipeline.stuck == []  # all threads ended within STOP_WITHIN_S


def test_an_error_of_the_caller_stops_everything_and_is_passed_on() -> None:
    pipeline = Pipeline(FakeSource(None), FakePredictor())
    with pytest.raises(ZeroDivisionError), pipeline:
        next(1 / 0 for _ in pipeline)
    assert pipeline.ledger.counts().in_flight == 0


def test_stop_from_elsewhere_ends_the_iteration() -> None:
    pipeline = Pipeline(FakeSource(None), FakePredictor())
    with pipeline:
        threading.Timer(0.05, pipeline.stop).start()
        assert sum(1 for _ in pipeline) > 0
    assert pipeline.ledger.counts().in_flight == 0


def test_max_frames_with_all_captures_nothing_more() -> None:
    with Pipeline(FakeSource(None), FakePredictor(), policy="all", workers=2, max_frames=7) as pipeline:
        assert [result.frame.index for result in pipeline] == list(range(7))
    assert pipeline.ledger.counts() == FrameCounts(captured=7, processed=7)


class HangingDevice:
    """A source's sleep that only ends when the test lets it, as a read from a dead driver."""

    def __init__(self) -> None:
        self.released, self.returned = threading.Event(), threading.Event()

    def sleep(self, seconds: float) -> None:
        self.released.wait(LATE)
        self.returned.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingDevice]:
    device = HangingDevice()
    monkeypatch.setattr("edgecnn.runtime.testing.hang", device.sleep)
    yield device
    device.released.set()


def test_a_hanging_device_does_not_hold_the_caller(hanging: HangingDevice) -> None:
    pipeline = Pipeline(FakeSource(None, hang=3), FakePredictor())
    with pipeline:
        for result in pipeline:
            if result.frame.index == 2:
                break
    assert pipeline.stuck == ["edgecnn-capture"]  # the caller is here while the device still hangs
    assert not hanging.returned.is_set()
    assert pipeline.ledger.counts() == FrameCounts(captured=3, processed=3)


def test_a_silent_device_is_an_error(hanging: HangingDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.pipeline.camera_stream.SILENCE_GRACE_S", 0.1)
    pipeline = Pipeline(FakeSource(None, hang=1, timeout=0.1), FakePredictor())
    with pytest.raises(SourceError, match="fake gave no frame for"), pipeline:
        list(pipeline)


def test_stats_add_up() -> None:
    with Pipeline(FakeSource(20), FakePredictor(delay=0.002), workers=2) as pipeline:
        for _ in pipeline:
            time.sleep(0.003)
    stats = pipeline.stats()
    assert stats.ledger == FrameCounts(captured=20, processed=20)
    assert {clock.count for clock in stats.stage_ms.values()} == {20}
    assert stats.age_ms.count == 20
    assert stats.stage_ms["infer"].p50 >= 2
    assert stats.stage_ms["sink"].p50 >= 3
    assert stats.throughput_fps == pytest.approx(20 / stats.duration_s)
    assert stats.age_ms.p50 >= stats.stage_ms["infer"].p50


def test_stats_of_a_run_without_frames() -> None:
    with Pipeline(FakeSource(0), FakePredictor()) as pipeline:
        assert list(pipeline) == []
    assert (pipeline.stats().throughput_fps, pipeline.stats().ledger) == (0.0, FrameCounts())


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"max_frames": 0}], ids=str)
def test_wrong_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Pipeline(FakeSource(1), FakePredictor(), **wrong)
