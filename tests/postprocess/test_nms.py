from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.postprocess.nms import Limits, best_class, strongest, suppress
from edgecnn.types import Detections


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def brute_force(xyxy: np.ndarray, score: np.ndarray, class_id: np.ndarray, iou: float) -> list[int]:
    kept: list[int] = []
    for index in np.argsort(-score, kind="stable"):
        if all(class_id[index] != class_id[k] or overlap(xyxy[index], xyxy[k]) <= iou for k in kept):
            kept.append(int(index))
    return kept


def boxes(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 100, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(0.5, 60, (count, 2))], axis=1).astype(np.float32)
    return xyxy, rng.random(count, np.float32), rng.integers(0, classes, count)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    classes=st.integers(1, 4),
    iou=st.sampled_from([0.0, 0.3, 0.6, 0.95, 1.0]),
)
def test_keeps_what_a_plain_loop_keeps(seed: int, count: int, classes: int, iou: float) -> None:
    xyxy, score, class_id = boxes(seed, count, classes)
    kept = brute_force(xyxy.astype(np.float64), score, class_id, iou)
    found = suppress(xyxy, score, class_id, Limits(iou=iou, count=1000))
    np.testing.assert_array_equal(found.score, score[kept])
    np.testing.assert_array_equal(found.class_id, class_id[kept])
    np.testing.assert_array_equal(found.xyxy, xyxy[kept])


def test_gives_at_most_count_boxes_best_first() -> None:
    xyxy, score, class_id = boxes(0, 200, 50)
    found = suppress(xyxy, score, class_id, Limits(iou=1.0, count=7))
    assert len(found) == 7
    np.testing.assert_array_equal(found.score, np.sort(score)[::-1][:7])


def test_the_best_thousand_candidates_are_enough() -> None:
    corner = np.arange(5000, dtype=np.float32)[:, None] * [100, 0]
    xyxy = np.concatenate([corner, corner + 10], axis=1).astype(np.float32)
    score = np.linspace(0, 1, 5000, dtype=np.float32)
    found = suppress(xyxy, score, np.zeros(5000, np.int64), Limits(count=3000))
    np.testing.assert_array_equal(found.score, score[:-1001:-1])


def test_boxes_that_are_not_finite_are_left_out() -> None:
    xyxy = np.array([[0, 0, 5, 5], [0, 0, np.inf, 5], [np.nan, 0, 5, 5], [20, 20, 30, 30]], np.float32)
    found = suppress(xyxy, np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.zeros(4, np.int64), Limits())
    np.testing.assert_array_equal(found.xyxy, xyxy[[0, 3]])


def test_nothing_gives_nothing() -> None:
    found = suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), Limits())
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


@given(seed=st.integers(0, 1000), size=st.integers(0, 50), count=st.integers(1, 60))
def test_strongest_are_a_stable_sort_cut_off(seed: int, size: int, count: int) -> None:
    score = np.random.default_rng(seed).integers(0, 1000, size).astype(np.float32)
    found = strongest(score, count)
    np.testing.assert_array_equal(score[found], np.sort(score)[::-1][:count])
    assert len(set(found.tolist())) == len(found)


def test_limits_from_options() -> None:
    assert Limits.of({}) == Limits(0.25, 0.6, 100)
    assert Limits.of({"score_threshold": 0.5, "iou_threshold": 1, "max_detections": 3.0, "strides": [8]}) == Limits(0.5, 1.0, 3)
