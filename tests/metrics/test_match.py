from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgecnn.metrics.match import iou_matrix, match
from edgecnn.types import Detections, Float32


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64))


def test_iou_of_known_boxes() -> None:
    a = np.float32([[0, 0, 10, 10], [5, 5, 5, 5]])
    b = np.float32([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]])
    assert iou_matrix(a, b) == pytest.approx(np.float32([[1, 1 / 3, 0, 0], [0, 0, 0, 0]]))


@settings(deadline=None)  # the machine may be busy
@given(
    arrays(np.float32, (5, 4), elements=st.floats(0, 100, width=32)),
    arrays(np.float32, (3, 4), elements=st.floats(0, 100, width=32)),
)
def test_iou_lies_between_0_and_1_and_is_symmetric(a: Float32, b: Float32) -> None:
    a, b = (np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4) for boxes in (a, b))
    overlap = iou_matrix(a, b)
    assert overlap.shape == (5, 3)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-5)).all()
    assert overlap == pytest.approx(iou_matrix(b, a).T, abs=1e-5)


def test_pairs_differences_and_leftovers() -> None:
    a = found((0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.5, 1))
    b = found((100, 100, 110, 110, 0.3, 0), (0, 0, 10, 9, 0.8, 0))
    matches = match(a, b)
    assert matches.pairs.tolist() == [[0, 1]]
    assert matches.iou == pytest.approx([0.9])
    assert matches.score_difference == pytest.approx([-0.1])
    assert (matches.only_a.tolist(), matches.only_b.tolist()) == ([1], [0])


def test_the_highest_score_chooses_first() -> None:
    a = found((0, 0, 10, 8, 0.5, 0), (0, 0, 10, 9, 0.9, 0))
    b = found((0, 0, 10, 8, 0.9, 0))
    assert match(a, b).pairs.tolist() == [[1, 0]]


def test_a_partner_is_taken_only_once() -> None:
    a = found((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 0))
    b = found((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 6, 0.8, 0))
    assert match(a, b).pairs.tolist() == [[0, 0], [1, 1]]


def test_classes_matter_only_where_asked() -> None:
    a, b = found((0, 0, 10, 10, 0.9, 0)), found((0, 0, 10, 10, 0.9, 1))
    assert len(match(a, b)) == 0
    assert len(match(a, b, class_aware=False)) == 1


@pytest.mark.parametrize("swap", [False, True])
def test_nothing_against_something(swap: bool) -> None:
    sides = (Detections.empty(), found((0, 0, 10, 10, 0.9, 0)))
    matches = match(*(sides[::-1] if swap else sides))
    assert len(matches) == 0
    assert len(matches.only_a) + len(matches.only_b) == 1


@settings(deadline=None)  # the machine may be busy
@given(seed=st.integers(0, 1000))
def test_a_set_matches_itself_whole(seed: int) -> None:
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 50, (6, 2))
    boxes = np.concatenate([low, low + draw.uniform(1, 20, (6, 2))], axis=1).astype(np.float32)
    same = Detections(boxes, draw.random(6).astype(np.float32), draw.integers(0, 3, 6))
    matches = match(same, same)
    assert (matches.pairs[:, 0] == matches.pairs[:, 1]).all()
    assert len(matches) == 6
