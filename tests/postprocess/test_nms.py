from __future__ import annotations

import numpy as np
import pytest

from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.types import Detections


def boxes(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 100, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(0.5, 60, (count, 2))], axis=1).astype(np.float32)
    return xyxy, rng.random(count, np.float32), rng.integers(0, classes, count)


def test_gives_at_most_count_boxes_best_first() -> None:
    xyxy, score, class_id = boxes(0, 200, 50)
    found = suppress(xyxy, score, class_id, NmsOptions(iou_threshold=1.0, max_detections=7))
    assert len(found) == 7
    np.testing.assert_array_equal(found.score, np.sort(score)[::-1][:7])


def test_the_best_thousand_candidates_are_enough() -> None:
    corner = np.arange(5000, dtype=np.float32)[:, None] * [100, 0]
    xyxy = np.concatenate([corner, corner + 10], axis=1).astype(np.float32)
    score = np.linspace(0, 1, 5000, dtype=np.float32)
    found = suppress(xyxy, score, np.zeros(5000, np.int64), NmsOptions(max_detections=3000))
    np.testing.assert_array_equal(found.score, score[:-1001:-1])


def test_boxes_that_are_not_finite_are_left_out() -> None:
    xyxy = np.array([[0, 0, 5, 5], [0, 0, np.inf, 5], [np.nan, 0, 5, 5], [20, 20, 30, 30]], np.float32)
    found = suppress(xyxy, np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.zeros(4, np.int64), NmsOptions())
    np.testing.assert_array_equal(found.xyxy, xyxy[[0, 3]])


def test_nothing_gives_nothing() -> None:
    found = suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), NmsOptions())
    assert isinstance(found, Detections)
    assert len(found) == 0


@pytest.mark.parametrize("classes", [pytest.param(1, id="one-class"), pytest.param(5, id="five-classes")])
def test_best_class_of_each_row(classes: int) -> None:
    scores = np.random.default_rng(1).random((50, classes), np.float32)
    kept, class_id, score = best_class(scores, 0.8)
    rows = [row for row in range(50) if max(scores[row]) >= 0.8]
    assert kept.tolist() == rows
    assert class_id.tolist() == [int(np.argmax(scores[row])) for row in rows]
    assert score.tolist() == [float(max(scores[row])) for row in rows]


def test_limits_from_options() -> None:
    assert NmsOptions.from_card({}) == NmsOptions(0.25, 0.6, 100)
    assert NmsOptions.from_card(
        {"score_threshold": 0.5, "iou_threshold": 1, "max_detections": 3.0, "strides": [8]}
    ) == NmsOptions(0.5, 1.0, 3)
