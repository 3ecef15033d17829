"""Lanes: what comes in order leaves in order, in turns, and within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from edgecnn.runtime.pipeline.mailbox import Closed
from edgecnn.runtime.pipeline.scheduler import FrameQueue, Scheduler, WorkerPool

SOON = 0.02
LATE = 5.0


def lanes(
    count: int = 1, capacity: int = 2, ahead: int = 2, *, newest_wins: bool = False
) -> tuple[Scheduler[int, str], WorkerPool[int, str], list[FrameQueue[int, str]]]:
    junction: Scheduler[int, str] = Scheduler()
    crew = WorkerPool(junction)
    made = [FrameQueue(junction, crew, capacity, ahead, newest_wins=newest_wins) for _ in range(count)]
    for lane in made:
        junction.add(lane)
    return junction, crew, made


def test_answers_leave_in_the_order_of_their_items() -> None:
    junction, crew, (lane,) = lanes(ahead=3, capacity=3)
    for item in (10, 11, 12):
        lane.put(item, SOON)
    taken = [crew.take(SOON) for _ in range(3)]
    assert [(number, item) for _, number, item in taken] == [(0, 10), (1, 11), (2, 12)]
    for number in (2, 0, 1):
        lane.answer(number, f"to {number}")
    assert [junction.next(SOON)[1] for _ in range(3)] == ["to 0", "to 1", "to 2"]


def test_the_newest_wins_and_each_drop_is_told() -> None:
    _, crew, (lane,) = lanes(capacity=1, newest_wins=True)
    assert [lane.put(item, SOON) for item in range(4)] == [0, 1, 1, 1]
    assert crew.take(SOON)[1:] == (0, 3)


def test_a_worker_does_not_begin_while_the_reader_is_behind() -> None:
    junction, crew, (lane,) = lanes(capacity=5, ahead=2)
    for item in range(4):
        lane.put(item, SOON)
    for _ in range(2):
        _, number, _ = crew.take(SOON)
        lane.answer(number, "done")
    with pytest.raises(TimeoutError):
        crew.take(SOON)
    junction.next(SOON)
    assert crew.take(SOON)[1] == 2


def test_a_sender_waits_while_its_lane_is_full() -> None:
    _, crew, (lane,) = lanes(capacity=1)
    lane.put(0, SOON)
    with pytest.raises(TimeoutError):
        lane.put(1, SOON)
    crew.take(SOON)
    assert lane.put(1, SOON) == 0


def test_lanes_take_turns() -> None:
    _, crew, (one, other) = lanes(2, capacity=4, ahead=9)
    for item in range(4):
        one.put(item, SOON)
    other.put(100, SOON)
    assert [crew.take(SOON)[2] for _ in range(5)] == [0, 100, 1, 2, 3]


def test_the_end_is_told_once_and_after_the_last_answer() -> None:
    junction, crew, (lane,) = lanes()
    lane.put(0, SOON)
    lane.end(OSError("cable"))
    lane.end()
    _, number, _ = crew.take(SOON)
    lane.answer(number, "last")
    assert [junction.next(SOON)[1] for _ in range(2)] == ["last", None]
    assert isinstance(lane.error, OSError)
    with pytest.raises(TimeoutError):
        junction.next(SOON)


def test_after_the_last_answer_nothing_else_is_begun() -> None:
    junction, crew, (lane,) = lanes(capacity=3, ahead=3)
    for item in range(3):
        lane.put(item, SOON)
    _, number, _ = crew.take(SOON)
    lane.answer(number, "broken", last=True)
    with pytest.raises(TimeoutError):
        crew.take(SOON)
    with pytest.raises(Closed):
        lane.put(9, SOON)
    assert [junction.next(SOON)[1] for _ in range(2)] == ["broken", None]


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda junction, crew, lane: (lane.put(0, LATE), lane.put(1, LATE)), id="sender"),
        pytest.param(lambda junction, crew, lane: crew.take(LATE), id="worker"),
    ],
)
def test_cutting_and_closing_wake_who_waits(
    wait: Callable[[Scheduler[int, str], WorkerPool[int, str], FrameQueue[int, str]], object],
) -> None:
    junction, crew, (lane,) = lanes(capacity=1)
    seen: list[BaseException] = []

    def run() -> None:
        try:
            wait(junction, crew, lane)
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(SOON)
    lane.cut()
    crew.close()
    thread.join(LATE)
    assert isinstance(seen[0], Closed)
    assert junction.next(SOON) == (lane, None)


def test_a_lane_that_left_is_not_served() -> None:
    junction, crew, (one, other) = lanes(2)
    one.put(1, SOON)
    other.put(2, SOON)
    junction.remove(one)
    assert crew.take(SOON)[2] == 2
    with pytest.raises(TimeoutError):
        crew.take(SOON)
