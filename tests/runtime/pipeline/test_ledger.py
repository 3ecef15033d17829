"""The frame ledger balances, whatever happens and from however many threads."""

from __future__ import annotations

import threading

import pytest

from edgecnn.runtime.pipeline.ledger import FrameCounts, Ledger


def test_what_is_open_is_in_flight() -> None:
    ledger = Ledger()
    ledger.add(captured=5)
    ledger.add(processed=2, dropped=1, failed=1)
    assert ledger.counts() == FrameCounts(captured=5, processed=2, dropped=1, failed=1)
    assert ledger.counts().in_flight == 1


def test_a_frame_can_not_end_twice() -> None:
    ledger = Ledger()
    ledger.add(captured=1)
    ledger.add(processed=1)
    with pytest.raises(ValueError, match="more frames ended than the"):
        ledger.add(dropped=1)
    assert ledger.counts() == FrameCounts(captured=1, processed=1)


def test_settling_counts_the_rest_as_dropped_and_unfinished() -> None:
    ledger = Ledger()
    ledger.add(captured=4)
    ledger.add(processed=1)
    ledger.settle()
    assert ledger.counts() == FrameCounts(captured=4, processed=1, dropped=3, unfinished=3)
    assert ledger.counts().in_flight == 0


def test_nothing_is_booked_after_settling() -> None:
    ledger = Ledger()
    ledger.settle()
    ledger.add(captured=1)
    ledger.add(failed=2)
    assert ledger.counts() == FrameCounts()


def test_no_booking_is_lost_between_threads() -> None:
    ledger = Ledger()

    def book() -> None:
        for _ in range(2000):
            ledger.add(captured=2)
            ledger.add(processed=1, dropped=1)

    threads = [threading.Thread(target=book) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.counts() == FrameCounts(captured=16000, processed=8000, dropped=8000)
