"""A live source that breaks, hangs, freezes or changes its size goes on, and says what happened."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from edgecnn.errors import InputError, SourceError
from edgecnn.runtime import testing
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.sources.base import SilenceError, Source
from edgecnn.runtime.sources.reconnect import ReconnectingSource, ReconnectOptions
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.types import Frame
from tests.runtime.pipeline.harness import wait_until
from tests.runtime.watchdog import finishes

QUICK = ReconnectOptions(initial_delay_s=0.01, max_delay_s=0.02, reset_after_s=0.0)
GONE = SourceError("fake: the cable is out", "plug it in")


def in_turn(sources: Sequence[Source]) -> Callable[[], Source]:
    """A factory that gives each of ``sources`` once."""
    left = iter(sources)
    return lambda: next(left)


def live(count: int | None, **more: Any) -> FakeSource:
    return FakeSource(count, fps=200.0, **more)


def kinds(source: Source) -> list[str]:
    return [event.kind for event in source.take_events()]


class Pictures(Source):
    """A live source of given brightnesses at 100 frames per second."""

    def __init__(self, shades: Sequence[int], sizes: Sequence[tuple[int, int]] = ((48, 64),)) -> None:
        super().__init__("pictures", live=True)
        self._shades, self._sizes = shades, sizes

    def _frames(self) -> Generator[Frame, None, None]:
        for index, shade in enumerate(self._shades):
            size = self._sizes[index % len(self._sizes)]
            yield Frame(index, time.perf_counter(), np.full((*size, 3), shade, np.uint8))
            time.sleep(0.01)


@pytest.fixture
def no_hanging_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Readers that hang come back at the end of the test."""
    back = threading.Event()
    monkeypatch.setattr(testing, "hang", back.wait)
    yield back
    back.set()


def test_frame_numbers_go_on_after_each_break_and_every_break_is_told() -> None:
    source = ReconnectingSource(in_turn([live(5, error=GONE), live(5, error=GONE), live(5)]), QUICK)
    assert [frame.index for frame in source] == list(range(15))
    events = source.take_events()
    assert [event.kind for event in events] == ["camera-lost", "camera-back"] * 2
    assert events[0].details == {"reason": "the cable is out"}
    assert events[1].details["attempts"] == 1
    assert events[0].at <= events[1].at
    assert source.state == "ended"
    assert len(source.notes) == 1
    assert source.notes[0].startswith("fake was lost 2 times, for ")


def test_it_is_live_while_pictures_come_and_ended_after_it_was_closed() -> None:
    source = ReconnectingSource(in_turn([live(None)]))
    assert source.state == "waiting"
    frames = iter(source)
    next(frames)
    assert (source.state, source.detail, source.fps) == ("live", "", 200.0)
    source.close()
    assert list(frames) == []
    assert source.state == "ended"


def test_a_camera_absent_at_the_start_is_waited_for_within_the_patience() -> None:
    sources = [*(live(0, error=GONE) for _ in range(4)), live(3)]
    source = ReconnectingSource(
        in_turn(sources), ReconnectOptions(initial_delay_s=0.01, max_delay_s=0.02, connect_timeout_s=math.inf)
    )
    assert [frame.index for frame in source] == [0, 1, 2]
    events = source.take_events()
    assert [event.kind for event in events] == ["camera-lost", "camera-back"]
    assert events[1].details["attempts"] == 4
    assert events[1].details["was"] == "waiting"


def test_without_patience_a_camera_absent_at_the_start_is_an_error_at_once() -> None:
    with pytest.raises(SourceError, match="the cable is out"):
        list(ReconnectingSource(in_turn([live(0, error=GONE)])))


def test_patience_ends() -> None:
    how = ReconnectOptions(initial_delay_s=0.01, max_delay_s=0.02, connect_timeout_s=0.1)
    source = ReconnectingSource(lambda: live(0, error=GONE), how)
    with pytest.raises(SourceError, match="the cable is out"):
        finishes(lambda: list(source))
    assert source.state == "failed"


def test_an_error_that_time_does_not_heal_is_raised_at_once() -> None:
    wrong = InputError("that is not a number", "correct it")
    with pytest.raises(InputError):
        list(ReconnectingSource(in_turn([live(0, error=wrong)]), ReconnectOptions(connect_timeout_s=math.inf)))


def test_a_decoder_that_raises_is_survived_and_its_text_shows_no_password() -> None:
    broken = RuntimeError("can't decode rtsp://ann:s3cret@cam/x\nat all")
    source = ReconnectingSource(in_turn([live(2, error=broken), live(2)]), QUICK)
    assert len(list(source)) == 4
    assert source.take_events()[0].details["reason"] == "RuntimeError: can't decode rtsp://***@cam/x at all"


def test_a_reader_that_hangs_is_left_behind_and_replaced(no_hanging_threads: threading.Event) -> None:
    how = ReconnectOptions(max_silence_s=0.1, initial_delay_s=0.01, max_delay_s=0.02)
    source = ReconnectingSource(in_turn([live(None, hang=3), live(3)]), how)
    assert [frame.index for frame in source] == [0, 1, 2, 3, 4, 5]
    assert kinds(source) == ["camera-stalled", "camera-back"]
    assert len(source.stuck) == 1
    no_hanging_threads.set()
    wait_until(lambda: source.stuck == [])


def test_readers_that_hang_are_bounded_in_number(no_hanging_threads: threading.Event) -> None:
    how = ReconnectOptions(max_silence_s=0.1, initial_delay_s=0.01, max_delay_s=0.02, max_stuck_threads=1)
    made: list[Source] = []

    def make() -> Source:
        made.append(live(None, hang=1))
        return made[-1]

    source = ReconnectingSource(make, how)
    frames = iter(source)
    next(frames)
    threading.Timer(3.0, source.close).start()
    assert list(frames) == []
    assert len(made) == 1
    assert len(source.stuck) == 1
    assert "hang" in source.notes[0]


def test_closing_ends_a_source_that_hangs(no_hanging_threads: threading.Event) -> None:
    source = ReconnectingSource(in_turn([live(None, hang=1)]), ReconnectOptions(max_silence_s=3600))
    frames = iter(source)
    next(frames)
    threading.Timer(0.1, source.close).start()
    assert finishes(lambda: list(frames)) == []
    assert len(source.stuck) == 1


def test_closing_ends_a_long_wait_between_attempts() -> None:
    source = ReconnectingSource(
        in_turn([live(1, error=GONE)]), ReconnectOptions(initial_delay_s=3600, max_delay_s=3600, jitter=0)
    )
    threading.Timer(0.3, source.close).start()
    assert len(finishes(lambda: list(source))) == 1


def test_the_same_picture_again_and_again_is_frozen_and_connected_anew_once() -> None:
    how = ReconnectOptions(initial_delay_s=0.01, max_delay_s=0.02, frozen_after_s=0.2)
    still = [7] * 60
    source = ReconnectingSource(
        in_turn([Pictures([*range(20), *still, *still]), Pictures([*still, *still, *range(100, 120)])]), how
    )
    states = []
    for _ in source:
        if not states or states[-1] != source.state:
            states.append(source.state)
    events = source.take_events()
    assert states == ["live", "frozen", "live"]
    assert [event.kind for event in events] == ["camera-frozen", "camera-back"]
    assert events[0].details == {"reason": "the same image for 0.2 s"}
    assert events[1].details["was"] == "frozen"


def test_a_still_picture_may_be_allowed() -> None:
    source = ReconnectingSource(in_turn([Pictures([7] * 30)]), ReconnectOptions(frozen_after_s=None))
    assert len(list(source)) == 30
    assert kinds(source) == []


def test_a_change_of_size_is_followed_and_told() -> None:
    source = ReconnectingSource(in_turn([Pictures([1, 2, 3, 4], sizes=[(48, 64), (48, 64), (24, 32), (24, 32)])]))
    assert [frame.image.shape[:2] for frame in source] == [(48, 64), (48, 64), (24, 32), (24, 32)]
    (event,) = source.take_events()
    assert (event.kind, event.details) == ("size-changed", {"from": [64, 48], "to": [32, 24]})


def test_frames_that_can_not_be_read_are_counted_across_connections() -> None:
    bad = frozenset({1})
    source = ReconnectingSource(in_turn([live(3, unreadable=bad, error=GONE), live(3, unreadable=bad)]), QUICK)
    with Pipeline(source, FakePredictor(), policy="all") as pipeline:
        results = list(pipeline)
    counts = pipeline.ledger.counts()
    assert len(results) == 4
    assert (counts.captured, counts.processed, counts.failed, counts.in_flight) == (6, 4, 2, 0)


def test_a_camera_that_connects_but_sends_nothing_stays_lost() -> None:
    silence = SilenceError("fake: no frame for 5 s", "check it")
    source = ReconnectingSource(in_turn([live(2, error=GONE), live(0, error=silence), live(2)]), QUICK)
    assert len(list(source)) == 4
    lost, back = source.take_events()
    assert (lost.kind, back.kind) == ("camera-lost", "camera-back")
    assert (back.details["was"], back.details["attempts"]) == ("lost", 2)


class Unreadable(Source):
    """A live source without a single readable frame."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("unreadable", live=True)
        self._names = names

    def _frames(self) -> Generator[Frame, None, None]:
        yield Frame(0, time.perf_counter(), np.zeros((4, 4, 3), np.uint8))
        for name in self._names:
            self.fail(name, "broken")
        raise GONE


def test_the_failures_that_are_named_are_bounded_across_connections() -> None:
    sources = [Unreadable([f"{connection}-{number}" for number in range(80)]) for connection in range(3)]
    source = ReconnectingSource(in_turn([*sources, live(1)]), QUICK)
    assert len(list(source)) == 4
    assert source.failed == 240
    assert len(source.failures) == 100
    assert source.failures[80].name == "1-0"


def test_nothing_is_lost_between_reader_and_caller() -> None:
    source = ReconnectingSource(in_turn([live(300, error=GONE), live(300)]), QUICK)
    shades = [int(frame.image[0, 0, 0]) for frame in source]
    assert shades == [index % 256 for index in range(300)] * 2


def test_waits_grow_to_a_bound_and_never_agree() -> None:
    how = ReconnectOptions(initial_delay_s=0.5, max_delay_s=10.0, jitter=0.5)
    waits = [[how.delay_s(attempt) for _ in range(50)] for attempt in range(100)]
    assert all(0.25 <= wait <= 0.5 for wait in waits[0])
    assert all(5.0 <= wait <= 10.0 for wait in waits[99])
    assert len(set(waits[3])) > 40


def test_without_jitter_each_delay_is_twice_the_last_up_to_the_bound() -> None:
    how = ReconnectOptions(initial_delay_s=0.5, max_delay_s=10.0, jitter=0.0)
    assert [how.delay_s(attempt) for attempt in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert how.delay_s(10_000) == 10.0


def test_jitter_only_shortens_a_delay_by_its_share() -> None:
    how = ReconnectOptions(initial_delay_s=1.0, max_delay_s=64.0, jitter=0.25)
    for attempt in range(7):
        delays = [how.delay_s(attempt) for _ in range(200)]
        assert 0.75 * 2**attempt <= min(delays) < 0.8 * 2**attempt
        assert 0.95 * 2**attempt < max(delays) <= 2**attempt


class InstantWaits(threading.Event):
    """Never waits, and keeps how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.planned.append(timeout)
        return self.is_set()


def test_a_camera_that_stays_away_is_asked_less_and_less_often() -> None:
    options = ReconnectOptions(initial_delay_s=0.5, max_delay_s=10.0, jitter=0.0, connect_timeout_s=math.inf)
    source = ReconnectingSource(in_turn([*(live(0, error=GONE) for _ in range(7)), live(2)]), options)
    source._closed = waits = InstantWaits()
    assert len(list(source)) == 2
    assert waits.planned == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


class Recorded(ReconnectOptions):
    """Waits for nothing, and keeps which attempts it was asked for."""

    attempts: ClassVar[list[int]] = []

    def delay_s(self, attempt: int) -> float:
        self.attempts.append(attempt)
        return 0.0


def test_only_a_connection_that_held_begins_to_count_anew() -> None:
    class SlowToFail(FakeSource):
        def _frames(self) -> Generator[Frame, None, None]:
            time.sleep(0.1)
            raise GONE
            yield

    Recorded.attempts.clear()
    failing = [SlowToFail(0, fps=100.0) for _ in range(3)]
    sources = [live(1, error=GONE), *failing, live(40, error=GONE), live(1)]
    assert len(list(ReconnectingSource(in_turn(sources), Recorded(reset_after_s=0.1)))) == 42
    assert Recorded.attempts == [0, 1, 2, 3, 0]


def test_many_breaks_leave_no_thread_behind() -> None:
    sources = iter([*(live(1, error=GONE) for _ in range(100)), live(1)])
    source = ReconnectingSource(lambda: next(sources), QUICK)
    before = threading.active_count()
    assert len(list(source)) == 101
    assert threading.active_count() <= before
    assert len(source.take_events()) == 200


def test_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="only a live source can be reconnected, fake is a file"):
        ReconnectingSource(in_turn([FakeSource(3)]))


@pytest.mark.parametrize(
    "wrong", [{"max_silence_s": 0}, {"jitter": 2}, {"connect_timeout_s": -1}, {"frozen_after_s": 0}], ids=str
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="times must be above 0 and jitter from 0 to 1"):
        ReconnectOptions(**wrong)
