"""The best threshold is found where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.trust.class_thresholds.choose import choose_threshold, scores_at


def test_the_middle_between_right_and_wrong_boxes_is_chosen() -> None:
    score, right = np.float32([0.8] * 30 + [0.4] * 10), np.arange(40) < 30
    one = choose_threshold("a", score, right, 30)
    assert one.chosen is not None
    assert one.chosen.threshold == 0.6  # 0.41 to 0.8 are as good
    assert (one.chosen.precision, one.chosen.recall, one.chosen.f1) == (1, 1, 1)
    assert (one.present.threshold, one.present.precision, one.present.recall) == (0.3, 0.75, 1)
    assert one.present.f1 == pytest.approx(2 * 30 / (40 + 30))


def test_a_lower_threshold_finds_more_of_a_rare_class() -> None:
    # 10 sure boxes, 15 weak ones that are right, 5 very weak ones that are wrong
    score = np.float32([0.9] * 10 + [0.2] * 15 + [0.04] * 5)
    one = choose_threshold("a", score, np.arange(30) < 25, 30)
    assert one.chosen is not None
    assert 0.05 <= one.chosen.threshold <= 0.2
    assert (one.chosen.recall, one.present.recall) == (pytest.approx(25 / 30), pytest.approx(10 / 30))


def test_the_largest_f1_is_that_of_a_search_over_all_thresholds() -> None:
    draw = np.random.default_rng(3)
    for _ in range(20):
        right = draw.random(400) < 0.5
        score = np.clip(draw.normal(np.where(right, 0.6, 0.35), 0.15), 0, 1).astype(np.float32)
        one = choose_threshold("a", score, right, 260)
        assert one.chosen is not None
        best = 0.0
        for threshold in range(1, 100):
            kept = [bool(is_right) for value, is_right in zip(score, right, strict=True) if value >= np.float32(threshold / 100)]
            best = max(best, 2 * sum(kept) / (len(kept) + 260))
        assert one.chosen.f1 == pytest.approx(best)


def test_too_little_to_choose_from_keeps_its_threshold() -> None:
    score, right = np.float32([0.8] * 19), np.ones(19, np.bool_)
    few = choose_threshold("a", score, right, 19)
    assert (few.chosen, few.why) == (None, "19 objects, fewer than 20")
    assert few.present.f1 == 1
    assert choose_threshold("a", score, right, 19, least=19).chosen is not None
    none = choose_threshold("a", score, ~right, 25)
    assert (none.chosen, none.why) == (None, "no box is right")
    assert choose_threshold("a", score[:0], right[:0], 25).why == "no box is right"


def test_no_box_has_no_precision() -> None:
    one = scores_at(0.9, np.float32([0.5]), np.array([True]), 2)
    assert (one.precision, one.recall, one.f1) == (0, 0, 0)
