from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.metrics.multilabel import MultiLabelAccumulator, average_precision, f1
from edgecnn.metrics.report import report_lines


def test_average_precision_by_hand() -> None:
    # true at ranks 1 and 3 of 4: (1/1 + 2/3) / 2
    assert average_precision(np.float32([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])) == pytest.approx(5 / 6)
    # two equal scores are found together: precision 1/2 for both ranks
    assert average_precision(np.float32([0.5, 0.5]), np.array([True, False])) == pytest.approx(0.5)
    assert average_precision(np.float32([0.1, 0.9]), np.array([False, True])) == 1.0


def test_f1() -> None:
    assert f1(1, 2, 2) == 0.5
    assert f1(0, 0, 0) == 0.0


def test_a_score_of_three_images() -> None:
    measure = MultiLabelAccumulator(("cat", "dog", "cow"))
    measure.add(np.float32([0.9, 0.2, 0.1]), 0.5, frozenset({0}))
    measure.add(np.float32([0.8, 0.7, 0.1]), 0.5, frozenset({1}))
    measure.add(np.float32([0.7, 0.9, np.nan]), 0.5, frozenset({0, 1}))
    score = measure.score(("a note",))
    assert score.support == {"cat": 2, "dog": 2}
    assert score.per_class == {"cat": pytest.approx((1 + 2 / 3) / 2), "dog": 1.0}
    assert score.primary == pytest.approx((5 / 6 + 1) / 2)
    # cat: 2 of 3 found are right, dog: 2 of 2
    assert score.values["f1_micro"] == pytest.approx(8 / 9)
    assert score.values["f1_macro"] == pytest.approx((0.8 + 1) / 2)
    assert score.values["exact"] == pytest.approx(2 / 3)
    assert any(line.split() == ["cat", "2", "83.33", "%"] for line in report_lines(score))


def test_an_unlabelled_class_counts_neither_way() -> None:
    measure = MultiLabelAccumulator(("cat", "dog"))
    measure.add(np.float32([0.9, 0.9]), 0.5, frozenset({0}), frozenset({1}))
    measure.add(np.float32([0.1, 0.8]), 0.5, frozenset({1}))
    score = measure.score(())
    assert score.values == {"label_map": 1.0, "f1_micro": 1.0, "f1_macro": 1.0, "exact": 1.0}


def test_a_dataset_without_any_label_has_no_score() -> None:
    measure = MultiLabelAccumulator(("cat",))
    measure.add(np.float32([0.9]), 0.5, frozenset())
    with pytest.raises(InputError, match="no image of the dataset has a label"):
        measure.score(())
