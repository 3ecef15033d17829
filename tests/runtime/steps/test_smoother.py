"""Smoothing of boxes, votes and whole images."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.runtime.steps.smoother import Smoother
from edgecnn.types import Classes, Detections, Values
from tests.runtime.steps.results import box, detections, result


def test_the_first_look_is_unchanged_and_the_second_is_between() -> None:
    step = Smoother(0.2)
    first = detections(step(result(box(100, 100, score=0.8), 0)))
    assert first.xyxy.tolist() == [[90, 60, 110, 100]]
    assert first.score.tolist() == [np.float32(0.8)]
    second = detections(step(result(box(104, 100, score=0.4), 1)))
    share = 1 - np.exp(-0.5)
    assert second.xyxy[0, 0] == pytest.approx(90 + 4 * share, abs=1e-4)
    assert second.score[0] == pytest.approx(0.8 - 0.4 * share, abs=1e-6)
    assert second.track_id is not None
    assert second.track_id.tolist() == [1]
    third = detections(step(result(box(104, 100, score=0.4), 2)))
    gain = share**2 / (2 - share)
    expected = 90 + 4 * share + gain * 4
    assert third.xyxy[0, 0] == pytest.approx(expected + share * (94 - expected), abs=1e-4)


def test_without_smoothing_the_newest_counts() -> None:
    step = Smoother(0)
    step(result(box(100, 100), 0))
    assert detections(step(result(box(104, 100), 1))).xyxy[0, 0] == 94
    with pytest.raises(ValueError, match="seconds must be at least 0, not -1"):
        Smoother(-1)


@pytest.mark.parametrize(("x", "y", "at_once"), [(110, 100, False), (111, 100, True), (100, 120, False), (100, 121, True)])
def test_a_jump_is_more_than_half_the_size(x: float, y: float, at_once: bool) -> None:
    """A box 20 wide and 40 high."""
    step = Smoother(5.0)
    step(result(box(100, 100), 0))
    found = detections(step(result(box(x, y), 1)))
    assert (found.xyxy[0].tolist() == [x - 10, y - 40, x + 10, y]) == at_once


def test_the_same_moment_twice_moves_nothing() -> None:
    step = Smoother(0.2)
    step(result(box(100, 100, score=0.8), 0, at=1.0))
    again = detections(step(result(box(104, 100, score=0.4), 1, at=1.0)))
    assert again.xyxy[0, 0] == 90
    assert again.score[0] == np.float32(0.8)


def test_votes_fade() -> None:
    """Each vote weighs less with each look: enough newer ones win."""
    step = Smoother(0.1)
    for index in range(20):
        step(result(box(100, 100), index))
    classes = [detections(step(result(box(100, 100, class_id=1), index))).class_id[0] for index in range(20, 60)]
    assert classes[0] == 0
    assert classes[15] == 1  # before there are as many votes for it
    assert sorted(classes) == classes


def test_tracks_are_smoothed_apart() -> None:
    step = Smoother(5.0)
    step(result(box(100, 100, 1), 0))
    assert detections(step(result(box(300, 100, 2), 1))).xyxy[0, 0] == 290


def test_boxes_without_identities_pass() -> None:
    plain = result(Detections(box(100, 100).xyxy, np.float32([0.9]), np.array([0])))
    assert Smoother()(plain) is plain


def test_whole_images_of_another_length_begin_anew() -> None:
    step = Smoother(5.0)
    step(result(Values(np.float32([1, 2])), 0))
    after = step(result(Values(np.float32([5])), 1)).prediction
    assert isinstance(after, Values)
    assert after.value.tolist() == [5]


def test_an_average_moves_on_from_the_last_look() -> None:
    step, numbers = Smoother(0.2), []
    for index, score in enumerate([0.0, 1.0, 1.0]):
        found = step(result(Classes(np.float32([score])), index)).prediction
        assert isinstance(found, Classes)
        numbers.append(float(found.score[0]))
    assert numbers == pytest.approx([0, 1 - np.exp(-0.5), 1 - np.exp(-1.0)], abs=1e-6)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_passes_and_leaves_the_average(broken: float) -> None:
    step, numbers = Smoother(0.2), []
    for index, value in enumerate([1.0, broken, 1.0]):
        found = step(result(Values(np.float32([value])), index)).prediction
        assert isinstance(found, Values)
        numbers.append(float(found.value[0]))
    assert numbers == pytest.approx([1.0, broken, 1.0], nan_ok=True)
