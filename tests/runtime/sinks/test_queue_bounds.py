"""The queue of a sink at its bounds: delays, bytes, counts, states, texts."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgecnn.runtime.sinks import UnreachableError
from edgecnn.runtime.sinks.queue import LONGEST_PAUSE_S, QueueCounts, QueuedSink, retry_delay_s, without_pixels
from edgecnn.types import Detections, Event, Frame, Result

SIZE = 30 * 40 * 3


def result(index: int) -> Result:
    return Result(Frame(index, 0.0, np.full((30, 40, 3), 7, np.uint8)), Detections.empty(), {}, 1.0)


class Sink:
    """Keeps what it gets; each write waits for ``gate`` and raises what ``errors`` holds for it."""

    def __init__(self, errors: dict[int, list[Exception]] | None = None) -> None:
        self.gate, self.busy, self.errors = threading.Event(), threading.Event(), errors or {}
        self.got: list[int] = []
        self.events: list[Event] = []
        self.at: list[float] = []

    def write(self, result: Result) -> None:
        self.busy.set()
        assert self.gate.wait(20)
        self.at.append(time.perf_counter())
        waiting = self.errors.get(result.frame.index)
        if waiting:
            raise waiting.pop(0)
        self.got.append(result.frame.index)

    def write_event(self, event: Event) -> None:
        self.busy.set()
        assert self.gate.wait(20)
        self.events.append(event)

    def close(self) -> None:
        """Nothing to close."""


def eventually(what: Callable[[], bool]) -> None:
    end = time.perf_counter() + 20
    while not what():
        assert time.perf_counter() < end, "it did not happen"
        time.sleep(0.005)


def held(sink: Sink, **options: Any) -> QueuedSink:
    """A queue whose sink has the first result in its hands and does not let go of it."""
    queued = QueuedSink(sink, name="x", say=lambda text: None, **options)
    queued.write(result(0))
    assert sink.busy.wait(20)
    return queued


def test_delays_double_up_to_the_longest_with_a_quarter_of_jitter() -> None:
    for failures, exact in ((1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (7, LONGEST_PAUSE_S), (5000, LONGEST_PAUSE_S)):
        delays = [retry_delay_s(failures, LONGEST_PAUSE_S) for _ in range(300)]
        assert 0.75 * exact <= min(delays) < 0.85 * exact
        assert 1.15 * exact < max(delays) <= 1.25 * exact
    assert retry_delay_s(30, 1e9) >= 0.75 * 0.25 * 2**16
    assert retry_delay_s(18, 1e9) <= 1.25 * 0.25 * 2**16


@pytest.mark.parametrize(
    ("room", "dropped"), [pytest.param(2 * SIZE, 0, id="exactly"), pytest.param(2 * SIZE - 1, 1, id="a-byte-less")]
)
def test_bytes_of_pictures_are_bounded(room: int, dropped: int) -> None:
    sink = Sink()
    queued = held(sink, max_bytes=room)
    queued.write(result(1))
    queued.write(result(2))
    assert queued.counts == QueueCounts(taken=3, dropped=dropped)
    sink.gate.set()
    queued.close()
    assert sink.got == ([0, 1, 2] if not dropped else [0, 2])


def test_one_picture_larger_than_all_room_is_taken() -> None:
    sink = Sink()
    queued = held(sink, max_bytes=1)
    queued.write(result(1))
    assert queued.counts.dropped == 0
    queued.write(result(2))
    assert queued.counts.dropped == 1
    sink.gate.set()
    queued.close()
    assert sink.got == [0, 2]


def test_results_without_pixels_and_events_take_no_room() -> None:
    sink = Sink()
    queued = held(sink, max_bytes=1, keep_image=False)
    for index in range(1, 5):
        queued.write(result(index))
        queued.write_event(Event("told", 0.0, "door", {}))
    assert queued.counts == QueueCounts(taken=9)
    sink.gate.set()
    queued.close()
    assert sink.got == [0, 1, 2, 3, 4]
    assert len(sink.events) == 4


def test_a_frame_without_pixels_is_black_and_of_the_same_size() -> None:
    bare = without_pixels(result(3)).frame
    assert (bare.index, bare.image.shape, bare.image.dtype) == (3, (30, 40, 3), np.uint8)
    assert not bare.image.any()
    assert bare.image.strides == (0, 0, 0)


def test_room_is_given_back_when_a_result_that_could_not_be_sent_returns() -> None:
    """After many retries the room for pictures is what it was."""
    lost = UnreachableError("gone", "wait")
    sink = Sink({0: [lost] * 3})
    queued = QueuedSink(sink, name="x", max_bytes=2 * SIZE, longest_pause_s=0.01, say=lambda text: None)
    sink.gate.set()
    queued.write(result(0))
    eventually(lambda: sink.got == [0])
    sink.gate.clear()
    sink.busy.clear()
    queued.write(result(1))
    assert sink.busy.wait(20)
    queued.write(result(2))
    queued.write(result(3))
    assert queued.counts.dropped == 0
    queued.write(result(4))
    assert queued.counts.dropped == 1
    sink.gate.set()
    queued.close()
    assert sink.got == [0, 1, 3, 4]


def test_a_first_odd_result_makes_no_pause_and_a_second_does() -> None:
    sink = Sink({1: [ValueError("odd")], 2: [ValueError("odd")]})
    queued = held(sink, longest_pause_s=0.4)
    for index in (1, 2, 3):
        queued.write(result(index))
    sink.gate.set()
    eventually(lambda: sink.got == [0, 3])
    assert sink.at[3] - sink.at[2] >= 0.75 * 0.4
    assert sink.at[3] - sink.at[2] > 3 * (sink.at[2] - sink.at[1])
    queued.close()
    assert queued.counts == QueueCounts(taken=4, written=2, failed=2)
    assert queued.broken is True


def test_the_first_failure_to_connect_makes_a_pause() -> None:
    sink = Sink({0: [UnreachableError("gone", "wait")]})
    queued = QueuedSink(sink, name="x", say=lambda text: None)
    sink.gate.set()
    queued.write(result(0))
    eventually(lambda: sink.got == [0])
    assert sink.at[1] - sink.at[0] >= 0.75 * 0.25
    queued.close()
    assert queued.broken is False


def test_states_and_texts_of_a_failure_and_its_end() -> None:
    said: list[str] = []
    sink = Sink({0: [UnreachableError("the broker\nis gone", "wait")]})
    queued = QueuedSink(sink, name="mqtt", longest_pause_s=0.2, say=said.append)
    assert (queued.state, queued.detail, queued.error, queued.broken) == ("working", "", None, False)
    queued.write(result(0))
    sink.gate.set()
    eventually(lambda: queued.state == "failing")
    assert queued.detail == "the broker\\nis gone; wait"
    eventually(lambda: queued.state == "working")
    assert queued.detail == ""
    queued.close()
    assert queued.state == "closed"
    assert said[0] == "output mqtt: the broker\\nis gone; wait"
    assert len(said) == 2


def test_an_error_without_a_text_is_named_by_its_class() -> None:
    sink = Sink({0: [KeyError()]})
    sink.gate.set()
    queued = QueuedSink(sink, name="x", say=lambda text: None)
    queued.write(result(0))
    eventually(lambda: queued.state == "failing")
    assert queued.detail == "KeyError"
    queued.close()


def test_what_comes_after_the_end_is_counted_as_dropped() -> None:
    sink = Sink()
    sink.gate.set()
    queued = QueuedSink(sink, name="x")
    queued.close()
    queued.write(result(0))
    queued.write(result(1))
    assert queued.counts == QueueCounts(taken=2, dropped=2)


def test_a_sink_that_hangs_is_left_alone_and_its_counts_stay() -> None:
    said: list[str] = []
    sink = Sink()
    queued = QueuedSink(sink, name="x", close_within_s=0.1, say=said.append)
    queued.write(result(0))
    assert sink.busy.wait(20)
    queued.write(result(1))
    queued.close()
    assert (queued.state, queued.counts) == ("stuck", QueueCounts(taken=2, dropped=2))
    assert len(said) == 1
    queued.close()
    assert len(said) == 1
    sink.gate.set()
    eventually(lambda: sink.got == [0])
    queued._thread.join(20)
    assert (queued.state, queued.counts) == ("stuck", QueueCounts(taken=2, dropped=2))


def test_the_same_trouble_is_said_once() -> None:
    said: list[str] = []
    sink = Sink({index: [ValueError(f"file {index} is full")] for index in range(1, 4)} | {5: [ValueError("other")]})
    queued = held(sink, longest_pause_s=0.01)
    queued._say = said.append
    for index in range(1, 7):
        queued.write(result(index))
    sink.gate.set()
    eventually(lambda: sink.got == [0, 4, 6])
    queued.close()
    assert said[0] == "output x: file 1 is full"
    assert sum("is full" in text for text in said) == 1
    assert sum("other" in text for text in said) == 1


def test_without_a_listener_it_is_said_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink({0: [ValueError("odd")]})
    sink.gate.set()
    queued = QueuedSink(sink, name="x")
    queued.write(result(0))
    queued.close()
    assert capsys.readouterr().err == "warning: output x: odd\n"
    broken = QueuedSink(Sink({0: [ValueError("odd")]}), name="y")
    closed = open(sys.executable, "rb")  # noqa: PTH123, SIM115 - a stream that can't be written to
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    broken.sink.gate.set()  # type: ignore[attr-defined]
    broken.write(result(0))
    broken.close()
    assert broken.state in ("closed", "failing")


def test_files_get_more_time_to_end_than_the_network() -> None:
    """What is lossless is waited for longer; the thread bears the name of the output."""
    sink = Sink()
    queued = QueuedSink(sink, name="boxes", lossless=True, say=lambda text: None)
    queued.write(result(0))
    assert sink.busy.wait(20)
    assert any(thread.name == "edgecnn-sink-boxes" for thread in threading.enumerate())
    threading.Timer(3.0, sink.gate.set).start()  # later than an output of the network would be given
    queued.close()
    assert (queued.state, sink.got) == ("closed", [0])
