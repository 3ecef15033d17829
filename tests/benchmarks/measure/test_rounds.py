"""The order in which the files of a benchmark take turns."""

from __future__ import annotations

from edgecnn.benchmarks.measure.rounds import file_order


def test_rounds_go_forwards_and_backwards_in_turn() -> None:
    assert [list(file_order(3, turn)) for turn in range(4)] == [[0, 1, 2], [2, 1, 0], [0, 1, 2], [2, 1, 0]]


def test_one_file_is_measured_in_each_round() -> None:
    assert [list(file_order(1, turn)) for turn in range(2)] == [[0], [0]]
