"""NMS against a plain loop on random boxes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.postprocess.nms import NmsOptions, suppress, top_scores

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st


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
    found = suppress(xyxy, score, class_id, NmsOptions(iou_threshold=iou, max_detections=1000))
    np.testing.assert_array_equal(found.score, score[kept])
    np.testing.assert_array_equal(found.class_id, class_id[kept])
    np.testing.assert_array_equal(found.xyxy, xyxy[kept])


@given(seed=st.integers(0, 1000), size=st.integers(0, 50), count=st.integers(1, 60))
def test_strongest_are_a_stable_sort_cut_off(seed: int, size: int, count: int) -> None:
    score = np.random.default_rng(seed).integers(0, 1000, size).astype(np.float32)
    found = top_scores(score, count)
    np.testing.assert_array_equal(score[found], np.sort(score)[::-1][:count])
    assert len(set(found.tolist())) == len(found)
