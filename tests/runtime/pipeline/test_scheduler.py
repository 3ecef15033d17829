"""Frame queues: what comes in order leaves in order, in turns, and within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from edgecnn.runtime.pipeline.mailbox import Closed
from edgecnn.runtime.pipeline.scheduler import FrameQueue, Scheduler, WorkerPool

SOON = 0.02
LATE = 5.0


def queues(
    count: int = 1, capacity: int = 2, max_in_flight: int = 2, *, newest_wins: bool = False
) -> tuple[Scheduler[int, str], WorkerPool[int, str], list[FrameQueue[int, str]]]:
    scheduler: Scheduler[int, str] = Scheduler()
    pool = WorkerPool(scheduler)
    made = [FrameQueue(scheduler, pool, capacity, max_in_flight, newest_wins=newest_wins) for _ in range(count)]
    for queue in made:
        scheduler.add(queue)
    return scheduler, pool, made


def test_results_leave_in_the_order_of_their_items() -> None:
    scheduler, pool, (queue,) = queues(max_in_flight=3, capacity=3)
    for item in (10, 11, 12):
        queue.put(item, SOON)
    taken = [pool.take(SOON) for _ in range(3)]
    assert [(number, item) for _, number, item in taken] == [(0, 10), (1, 11), (2, 12)]
    for number in (2, 0, 1):
        queue.put_result(number, f"to {number}")
    assert [scheduler.next(SOON)[1] for _ in range(3)] == ["to 0", "to 1", "to 2"]


def test_the_newest_wins_and_each_drop_is_told() -> None:
    _, pool, (queue,) = queues(capacity=1, newest_wins=True)
    assert [queue.put(item, SOON) for item in range(4)] == [0, 1, 1, 1]
    assert pool.take(SOON)[1:] == (0, 3)


def test_a_worker_does_not_begin_while_the_reader_is_behind() -> None:
    scheduler, pool, (queue,) = queues(capacity=5, max_in_flight=2)
    for item in range(4):
        queue.put(item, SOON)
    for _ in range(2):
        _, number, _ = pool.take(SOON)
        queue.put_result(number, "done")
    with pytest.raises(TimeoutError):
        pool.take(SOON)
    scheduler.next(SOON)
    assert pool.take(SOON)[1] == 2


def test_a_sender_waits_while_its_queue_is_full() -> None:
    _, pool, (queue,) = queues(capacity=1)
    queue.put(0, SOON)
    with pytest.raises(TimeoutError):
        queue.put(1, SOON)
    pool.take(SOON)
    assert queue.put(1, SOON) == 0


def test_queues_take_turns() -> None:
    _, pool, (one, other) = queues(2, capacity=4, max_in_flight=9)
    for item in range(4):
        one.put(item, SOON)
    other.put(100, SOON)
    assert [pool.take(SOON)[2] for _ in range(5)] == [0, 100, 1, 2, 3]


def test_the_end_is_told_once_and_after_the_last_result() -> None:
    scheduler, pool, (queue,) = queues()
    queue.put(0, SOON)
    queue.end(OSError("cable"))
    queue.end()
    _, number, _ = pool.take(SOON)
    queue.put_result(number, "last")
    assert [scheduler.next(SOON)[1] for _ in range(2)] == ["last", None]
    assert isinstance(queue.error, OSError)
    with pytest.raises(TimeoutError):
        scheduler.next(SOON)


def test_after_the_last_result_nothing_else_is_begun() -> None:
    scheduler, pool, (queue,) = queues(capacity=3, max_in_flight=3)
    for item in range(3):
        queue.put(item, SOON)
    _, number, _ = pool.take(SOON)
    queue.put_result(number, "broken", last=True)
    with pytest.raises(TimeoutError):
        pool.take(SOON)
    with pytest.raises(Closed):
        queue.put(9, SOON)
    assert [scheduler.next(SOON)[1] for _ in range(2)] == ["broken", None]


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda scheduler, pool, queue: (queue.put(0, LATE), queue.put(1, LATE)), id="sender"),
        pytest.param(lambda scheduler, pool, queue: pool.take(LATE), id="worker"),
    ],
)
def test_cancelling_and_closing_wake_who_waits(
    wait: Callable[[Scheduler[int, str], WorkerPool[int, str], FrameQueue[int, str]], object],
) -> None:
    scheduler, pool, (queue,) = queues(capacity=1)
    seen: list[BaseException] = []

    def run() -> None:
        try:
            wait(scheduler, pool, queue)
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(SOON)
    queue.cancel()
    pool.close()
    thread.join(LATE)
    assert isinstance(seen[0], Closed)
    assert scheduler.next(SOON) == (queue, None)


def test_a_queue_that_left_is_not_served() -> None:
    scheduler, pool, (one, other) = queues(2)
    one.put(1, SOON)
    other.put(2, SOON)
    scheduler.remove(one)
    assert pool.take(SOON)[2] == 2
    with pytest.raises(TimeoutError):
        pool.take(SOON)
