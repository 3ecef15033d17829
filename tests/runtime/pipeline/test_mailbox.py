"""Hand-over between threads: order, bounds, drops, closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from edgecnn.runtime.pipeline.mailbox import Closed, Mailbox

SOON = 0.02
LATE = 5.0


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run ``work`` in a thread; what it returned or raised is in the list when the thread has ended."""
    seen: list[object] = []

    def run() -> None:
        try:
            seen.append(work())
        except BaseException as error:  # the test looks at it
            seen.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, seen


def test_items_leave_in_order_with_their_numbers() -> None:
    box: Mailbox[str] = Mailbox(3)
    for item in "abc":
        box.put(item, SOON)
    assert [box.get(SOON) for _ in range(3)] == [(0, "a"), (1, "b"), (2, "c")]


def test_newest_wins_and_each_drop_is_told_to_the_sender() -> None:
    box: Mailbox[int] = Mailbox(1, newest_wins=True)
    assert [box.put(item, SOON) for item in range(5)] == [0, 1, 1, 1, 1]
    assert box.get(SOON) == (0, 4)


def test_sender_waits_while_a_bounded_mailbox_is_full() -> None:
    box: Mailbox[int] = Mailbox(1)
    box.put(0, SOON)
    with pytest.raises(TimeoutError):
        box.put(1, SOON)
    thread, seen = in_thread(lambda: box.put(1, LATE))
    assert box.get(SOON) == (0, 0)
    thread.join(LATE)
    assert seen == [0]
    assert box.get(SOON) == (1, 1)


def test_reader_waits_no_longer_than_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        Mailbox[int]().get(SOON)


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda box: box.put(1, LATE), id="sender"),
        pytest.param(lambda box: (box.drain(), box.get(LATE)), id="reader"),
    ],
)
def test_closing_wakes_whoever_waits(wait: Callable[[Mailbox[int]], object]) -> None:
    box: Mailbox[int] = Mailbox(1)
    box.put(0, SOON)
    thread, seen = in_thread(lambda: wait(box))
    time.sleep(SOON)
    box.close()
    thread.join(LATE)
    assert isinstance(seen[0], Closed)


def test_reader_gets_what_is_left_after_closing() -> None:
    box: Mailbox[int] = Mailbox(2)
    box.put(7, SOON)
    box.close()
    assert box.get(SOON) == (0, 7)
    with pytest.raises(Closed):
        box.get(SOON)
    with pytest.raises(Closed):
        box.put(8, SOON)


def test_first_closing_counts() -> None:
    box: Mailbox[int] = Mailbox()
    error = OSError("camera")
    box.close(error)
    box.close()
    assert box.error is error


def test_drain_throws_the_rest_away() -> None:
    box: Mailbox[int] = Mailbox(3)
    for item in range(3):
        box.put(item, SOON)
    assert box.drain() == 3
    with pytest.raises(TimeoutError):
        box.get(SOON)


def test_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity must be at least 1"):
        Mailbox(0)
