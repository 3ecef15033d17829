from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.metrics.classification import ClassificationAccumulator, calibration_error, confusion_matrix, wilson
from edgecnn.metrics.score import Score


def measured(rows: list[tuple[list[float], int]], labels: str = "abcdef") -> Score:
    accumulator = ClassificationAccumulator(tuple(labels))
    for scores, truth in rows:
        accumulator.add(np.array(scores, np.float32), truth)
    return accumulator.score(())


def test_top1_top5_classes_and_confusion() -> None:
    score = measured(
        [
            ([0.9, 0.1, 0, 0, 0, 0], 0),
            ([0.9, 0.1, 0, 0, 0, 0], 1),
            ([0.4, 0.3, 0.2, 0.1, 0.05, 0], 5),
            ([0, 0, 1, 0, 0, 0], 2),
        ]
    )
    assert score.primary == score.values["top1"] == 0.5
    assert score.values["top5"] == 0.75
    assert score.per_class == {"a": 1, "b": 0, "c": 1, "f": 0}
    assert score.support == {"a": 1, "b": 1, "c": 1, "f": 1}
    assert score.confusion is not None
    assert score.confusion[1, 0] == score.confusion[0, 0] == score.confusion[5, 0] == 1
    assert score.confusion.sum() == score.n == 4


def test_equal_scores_count_for_the_first_class_only() -> None:
    assert [measured([([0.5, 0.5], truth)], "ab").primary for truth in (0, 1)] == [1, 0]


def test_a_class_without_a_score_is_never_right() -> None:
    assert measured([([-np.inf, -np.inf], 0)], "ab").primary == 0


def test_scores_that_are_no_numbers_are_never_right() -> None:
    accumulator = ClassificationAccumulator(("a", "b"))
    for scores in ([float("nan")] * 2, [float("nan"), 0.9], [0.9, float("nan")]):
        accumulator.add(np.array(scores, np.float32), 0)
    score = accumulator.score(())
    assert score.values["top1"] == pytest.approx(1 / 3)
    assert 0 <= score.values["ece"] <= 1


def test_few_classes_have_no_top5() -> None:
    assert "top5" not in measured([([1, 0], 0)], "ab").values


def test_scores_that_are_no_probabilities_have_no_calibration_error() -> None:
    assert "ece" not in measured([([7, -3], 0)], "ab").values


def test_calibration_error_is_the_weighted_gap_by_bin() -> None:
    # two bins: scores .95 (2 of 4 right) and .25 (1 of 1 right): (4 * |.5 - .95| + 1 * |1 - .25|) / 5
    right = np.array([True, True, False, False, True])
    assert calibration_error(np.array([0.95] * 4 + [0.25]), right, bins=10) == pytest.approx((4 * 0.45 + 0.75) / 5)


def test_confusion_matrix_has_true_rows() -> None:
    assert confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2).tolist() == [[0, 2], [0, 1]]


def test_wilson_of_a_textbook_case() -> None:
    # 81 of 263, from Newcombe 1998, table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_wilson_ends_at_all_and_at_none() -> None:
    assert [wilson(n, n)[1] for n in range(1, 300)] == [1.0] * 299
    assert [wilson(0, n)[0] for n in range(1, 300)] == [0.0] * 299


@settings(deadline=None)  # the machine may be busy
@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_wilson_holds_the_share(n: int, share: float) -> None:
    right = round(share * n)
    low, high = wilson(right, n)
    assert 0 <= low <= right / n + 1e-9
    assert right / n - 1e-9 <= high <= 1
