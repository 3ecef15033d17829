"""A sink behind a queue: whatever it does, the run goes on, and every result is accounted for."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.files.json_lines import JsonLinesSink
from edgecnn.runtime.sinks.queue import QueuedSink, without_pixels
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.types import Detections, Event, Frame, Result


def result(index: int, *events: Event) -> Result:
    return Result(Frame(index, 0.0, np.zeros((48, 64, 3), np.uint8)), Detections.empty(), {}, 1.0, events=events)


class Recorder:
    """Writes down what it gets; ``before`` may wait or raise."""

    def __init__(self, before: Callable[[int], None] = lambda index: None) -> None:
        self.got: list[int] = []
        self.told: list[Event] = []
        self.closed = 0
        self._before = before

    def write(self, result: Result) -> None:
        self._before(result.frame.index)
        self.got.append(result.frame.index)

    def write_event(self, event: Event) -> None:
        self._before(-1)
        self.told.append(event)

    def close(self) -> None:
        self.closed += 1


def eventually(what: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.perf_counter() + seconds
    while not what():
        assert time.perf_counter() < end, "it did not happen"
        time.sleep(0.005)


def returns(call: Callable[[], object]) -> bool:
    """Whether a call returns, instead of waiting for something that the test never lets happen."""
    done = threading.Event()
    threading.Thread(target=lambda: (call(), done.set()), daemon=True).start()
    return done.wait(20)


def balanced(queued: QueuedSink) -> bool:
    counts = queued.counts
    return counts.taken == counts.written + counts.dropped + counts.failed


def test_everything_is_written_in_order_and_the_sink_closed() -> None:
    sink = Recorder()
    queued = QueuedSink(sink, name="x", lossless=True, capacity=3)
    for index in range(50):
        queued.write(result(index))
    queued.close()
    queued.close()
    assert sink.got == list(range(50))
    assert sink.closed == 1
    assert queued.state == "closed"
    assert (queued.counts.written, queued.counts.waiting) == (50, 0)


def test_a_slow_sink_costs_the_caller_nothing_and_keeps_the_newest() -> None:
    go = threading.Event()
    said: list[str] = []
    sink = Recorder(lambda index: bool(go.wait(20)) and None)
    queued = QueuedSink(sink, name="slow", capacity=4, say=said.append)
    queued.write(result(0))
    eventually(lambda: queued.counts.waiting == 1 and not queued._items)
    for index in range(1, 101):
        queued.write(result(index))
    assert sink.got == []  # all that while the sink was busy with the first one
    go.set()
    queued.close()
    assert sink.got == [0, 97, 98, 99, 100]
    assert queued.counts.dropped == 96
    assert balanced(queued)
    assert said == ["output slow: it is slower than the pipeline, so the oldest results are dropped and counted"]


def test_pictures_are_bounded_in_bytes() -> None:
    go = threading.Event()
    queued = QueuedSink(
        Recorder(lambda index: bool(go.wait(20)) and None), name="x", max_bytes=48 * 64 * 3 * 2, say=lambda text: None
    )
    for index in range(10):
        queued.write(result(index))
    assert queued.counts.waiting <= 3
    go.set()
    queued.close()
    assert balanced(queued)


@pytest.mark.parametrize("found", ["no disk is left", "no disk is left at 12:00:{index:02}"])
def test_a_sink_that_raises_is_said_once_and_tried_again(found: str) -> None:
    def odd(index: int) -> None:
        if index < 2:
            raise InputError(found.format(index=index), "buy one")

    said: list[str] = []
    sink = Recorder(odd)
    queued = QueuedSink(sink, name="disk", say=said.append)
    for index in range(4):
        queued.write(result(index))
    eventually(lambda: queued.counts.waiting == 0)
    assert sink.got == [2, 3]
    assert queued.counts.failed == 2
    assert queued.state == "working"
    queued.close()
    assert said == [f"output disk: {found.format(index=0)}; buy one", "output disk: it works again"]
    assert isinstance(queued.error, InputError)
    assert queued.broken


def test_an_output_that_can_not_be_finished_is_broken() -> None:
    class Unfinished(Recorder):
        def close(self) -> None:
            raise InputError("half of the file is missing", "free some space")

    said: list[str] = []
    queued = QueuedSink(Unfinished(), name="x", say=said.append)
    queued.write(result(0))
    queued.close()
    assert queued.broken
    assert (queued.state, queued.counts.written) == ("failing", 1)
    assert said == ["output x: half of the file is missing; free some space"]


def test_nobody_to_tell_is_no_reason_to_stop() -> None:
    def odd(index: int) -> None:
        if index == 0:
            raise RuntimeError("odd")

    def deaf(text: str) -> None:
        raise ValueError("I/O operation on closed file")

    sink = Recorder(odd)
    queued = QueuedSink(sink, name="x", say=deaf)
    for index in range(3):
        queued.write(result(index))
    queued.close()
    assert sink.got == [1, 2]


def test_while_a_sink_fails_nobody_waits_for_room() -> None:
    def broken(index: int) -> None:
        raise RuntimeError("broken\nfor good")

    queued = QueuedSink(Recorder(broken), name="x", capacity=2, lossless=True, say=lambda text: None)
    assert returns(lambda: [queued.write(result(index)) for index in range(100)])
    assert queued.state == "failing"
    assert queued.detail == "broken for good"
    queued.close()
    assert balanced(queued)
    assert queued.counts.written == 0


def test_what_could_not_be_delivered_is_delivered_later() -> None:
    away = threading.Event()

    def peer(index: int) -> None:
        if not away.is_set():
            raise UnreachableError("the peer is away", "wait")

    sink = Recorder(peer)
    queued = QueuedSink(sink, name="peer", capacity=8, say=lambda text: None)
    for index in range(20):
        queued.write(result(index))
    eventually(lambda: queued.state == "failing")
    away.set()
    eventually(lambda: queued.counts.waiting == 0)
    queued.close()
    assert sink.got == list(range(20 - len(sink.got), 20))
    assert len(sink.got) in (7, 8)
    assert balanced(queued)


def test_a_stuck_sink_is_left_alone_in_time() -> None:
    go = threading.Event()
    said: list[str] = []
    sink = Recorder(lambda index: bool(go.wait(30)) and None)
    queued = QueuedSink(sink, name="nfs", close_within_s=0.1, say=said.append)
    for index in range(5):
        queued.write(result(index))
    queued.close()
    assert sink.got == []  # it is still stuck in the first one
    assert queued.state == "stuck"
    assert balanced(queued)
    assert "abandoned" in said[-1]
    go.set()


def test_a_dead_peer_does_not_hold_up_the_end() -> None:
    def gone(index: int) -> None:
        raise UnreachableError("the peer is away", "wait")

    queued = QueuedSink(Recorder(gone), name="x", close_within_s=0.3, say=lambda text: None)
    for index in range(5):
        queued.write(result(index))
    assert returns(queued.close)
    assert queued.counts.dropped == 5
    assert queued.state == "closed"
    assert not queued.broken


def test_a_reader_who_left_is_passed_on() -> None:
    def pipe(index: int) -> None:
        raise BrokenPipeError

    said: list[str] = []
    queued = QueuedSink(Recorder(pipe), name="-", lossless=True, capacity=1, say=said.append)
    queued.write(result(0))
    eventually(lambda: queued.counts.failed == 1)
    with pytest.raises(BrokenPipeError):
        queued.write(result(1))
    queued.close()
    assert queued.counts.failed == 1
    assert (queued.state, queued.detail) == ("failing", "its reader closed the pipe")
    assert balanced(queued)
    assert not said


def test_a_slow_reader_of_a_pipe_never_slows_the_run(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    queued = QueuedSink(
        JsonLinesSink(pipe), name="jsonl", capacity=20, keep_image=False, close_within_s=0.5, say=lambda text: None
    )
    assert returns(lambda: [queued.write(result(index)) for index in range(300)])  # nobody reads yet
    assert queued.counts.dropped >= 250
    with pipe.open("rb") as reader:
        assert json.loads(reader.readline())["frame"] <= 280
        assert returns(lambda: [queued.write(result(index)) for index in range(300, 3000)])  # nobody reads on
        assert queued.counts.waiting <= 21
        time.sleep(0.1)
    queued.close()
    assert balanced(queued)
    assert queued.counts.failed <= 1  # the reader left


@pytest.mark.parametrize("kind", ["slow", "raising", "stuck"])
def test_a_run_hands_over_its_results_whatever_an_output_does(kind: str) -> None:
    go = threading.Event()

    def behave(index: int) -> None:
        if kind == "raising":
            raise RuntimeError("broken")
        go.wait(0.5 if kind == "slow" else 30)

    source = FakeSource(200)
    good, bad = Recorder(), Recorder(behave)
    outputs = [
        QueuedSink(good, name="good", lossless=True),
        QueuedSink(bad, name="bad", close_within_s=0.2, say=lambda text: None),
    ]
    with MultiCamera([CameraSetup("one", source, FakePredictor(), policy="all")]) as run:
        for one in run:
            for output in outputs:
                output.write(one)
    for output in outputs:
        output.close()
    assert len(bad.got) < 100  # neither the run nor its end waited for it
    assert good.got == list(range(200))
    assert all(balanced(output) for output in outputs)
    assert run.cameras["one"].stats().ledger.processed == 200
    go.set()


def test_events_instead_of_results() -> None:
    sink = Recorder()
    queued = QueuedSink(sink, name="x", events_only=True)
    first, second, alone = (Event(kind, 0.0) for kind in ("line-crossed", "zone-entered", "camera-lost"))
    queued.write_event(first)
    queued.write_event(second)
    queued.write(result(1, first, second))
    queued.write_event(alone)
    queued.close()
    assert sink.told == [first, second, alone]
    assert sink.got == []
    assert queued.counts.taken == 3


def test_a_result_without_pixels_keeps_its_size() -> None:
    lean = without_pixels(result(7))
    assert lean.frame.image.shape == (48, 64, 3)
    assert lean.frame.image.base is not None
    assert lean.frame.image.strides == (0, 0, 0)
    assert lean.frame.index == 7
    queued = QueuedSink(Recorder(lambda index: time.sleep(0.01)), name="x", keep_image=False, max_bytes=10)
    for index in range(20):
        queued.write(result(index))
    queued.close()
    assert queued.counts.written == 20


def test_the_pause_after_failures_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    first_s = 0.01
    monkeypatch.setattr("edgecnn.runtime.sinks.queue._FIRST_PAUSE_S", first_s)
    at: list[float] = []

    def away(index: int) -> None:
        at.append(time.perf_counter())
        raise UnreachableError("the peer is away", "wait")

    queued = QueuedSink(Recorder(away), name="x", close_within_s=0.01, say=lambda text: None)
    queued.write(result(0))
    eventually(lambda: len(at) >= 7)
    queued.close()
    pauses = [later - earlier for earlier, later in pairwise(at)]
    shortest = [0.75 * first_s * 2**n for n in range(6)]  # with the jitter
    assert all(pause >= least for pause, least in zip(pauses, shortest, strict=False)), pauses


def test_the_pause_after_failures_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.sinks.queue._FIRST_PAUSE_S", 0.01)
    attempts: list[int] = []

    def away(index: int) -> None:
        attempts.append(index)
        raise UnreachableError("the peer is away", "wait")

    queued = QueuedSink(Recorder(away), name="x", close_within_s=0.01, longest_pause_s=0.02, say=lambda text: None)
    queued.write(result(0))
    eventually(lambda: len(attempts) >= 16)  # without a limit: after more than two minutes
    queued.close()
