from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data.ensemble import Combined, Consensus, Trust, combine
from edgecnn.types import Detections

Row = tuple[float, float, float, float, float]
USUAL = Trust(threshold=0.5, alone=0.8)


def found(*rows: Row) -> Detections:
    """Boxes from rows of x1, y1, x2, y2, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4], np.zeros(len(table), np.int64))


def combined(*by_detector: list[Row], consensus: Consensus | None = None, trust: list[Trust] | None = None) -> Combined:
    return combine([found(*rows) for rows in by_detector], trust or [USUAL] * len(by_detector), consensus or Consensus())


def test_boxes_that_agree_are_one_label_at_their_weighted_mean() -> None:
    result = combined([(0, 0, 10, 10, 0.9)], [(0, 0, 10, 14, 0.3)])
    assert result.sure.tolist() == [True]
    assert result.votes.tolist() == [2]
    assert np.allclose(result.xyxy, [[0, 0, 10, 11]])


def test_a_trusted_detector_moves_the_box() -> None:
    result = combined([(0, 0, 10, 10, 0.6)], [(0, 0, 10, 14, 0.6)], trust=[USUAL, Trust(0.5, 0.8, weight=3)])
    assert np.allclose(result.xyxy, [[0, 0, 10, 13]])


def test_agreement_needs_one_that_is_sure() -> None:
    assert combined([(0, 0, 10, 10, 0.4)], [(0, 0, 10, 10, 0.45)]).sure.tolist() == [False]
    assert combined([(0, 0, 10, 10, 0.4)], [(0, 0, 10, 10, 0.5)]).sure.tolist() == [True]


def test_one_alone_needs_a_very_high_score() -> None:
    result = combined([(0, 0, 10, 10, 0.85), (40, 0, 50, 10, 0.75)], [])
    assert result.xyxy[:, 0].tolist() == [0, 40]
    assert result.sure.tolist() == [True, False]


def test_where_one_detector_knows_the_class_its_threshold_decides() -> None:
    assert combined([(0, 0, 10, 10, 0.5), (40, 0, 50, 10, 0.49)]).sure.tolist() == [True, False]


@pytest.mark.parametrize(("votes", "sure"), [(2, True), (3, False)])
def test_votes_are_counted_by_detector(votes: int, sure: bool) -> None:
    # two boxes of one detector on one object are one vote
    result = combined([(0, 0, 10, 10, 0.7), (0, 0, 10, 5.5, 0.6)], [(0, 0, 10, 9, 0.6)], [], consensus=Consensus(votes))
    assert result.sure[0] == sure
    assert result.votes[0] == 2


def test_boxes_that_overlap_too_little_do_not_agree() -> None:
    rows = [(0, 0, 10, 10, 0.6)], [(0, 0, 10, 4.5, 0.6)]
    assert not combined(*rows).sure.any()
    assert combined(*rows, consensus=Consensus(iou=0.4)).sure.tolist() == [True]


def test_a_detector_that_sees_two_classes_of_one_name_gives_one_box() -> None:
    result = combined([(0, 0, 10, 10, 0.9), (0, 0, 10, 9, 0.85)])
    assert np.allclose(result.xyxy, [[0, 0, 10, 10]])


def test_two_objects_close_to_each_other_stay_two() -> None:
    beside = [(0.0, 0.0, 10.0, 20.0, 0.9), (4.0, 0.0, 14.0, 20.0, 0.8)]  # IoU 0.43
    result = combined(beside, [(4, 0, 14, 20, 0.7), (0, 0, 10, 20, 0.6)])
    assert sorted(result.xyxy[:, 0].tolist()) == [0, 4]
    assert result.votes.tolist() == [2, 2]


def test_an_uncertain_box_on_a_label_is_left_out() -> None:
    # the third box fits the first two less than an IoU of 0.5 before they are averaged, but lies on their mean
    result = combined([(0, 0, 10, 10, 0.9)], [(0, 0, 10, 16, 0.9)], [(0, 0, 10, 14, 0.3)], consensus=Consensus(2, 0.6))
    assert result.sure.tolist() == [True]


def test_nothing_found_is_nothing() -> None:
    result = combined([], [])
    assert result.xyxy.shape == (0, 4)
    assert result.sure.shape == result.votes.shape == (0,)


@pytest.mark.parametrize(("votes", "iou"), [(0, 0.5), (2, 0.0), (2, 1.0)])
def test_values_out_of_range_are_refused(votes: int, iou: float) -> None:
    with pytest.raises(ValueError, match="are not votes >= 1 and 0 < iou < 1"):
        Consensus(votes, iou)
