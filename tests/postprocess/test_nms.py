from __future__ import annotations

import numpy as np
import pytest

from edgecnn.postprocess.nms import NmsOptions, best_class, suppress, suppress_rotated, top_scores
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


def pile(count: int, class_id: list[int] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``count`` boxes in one place with falling scores, all of one class where none is given."""
    xyxy = np.tile(np.float32([10, 10, 20, 20]), (count, 1))
    return xyxy, np.linspace(0.9, 0.5, count, dtype=np.float32), np.array(class_id or [0] * count)


def test_boxes_behind_a_pile_of_duplicates_are_found() -> None:
    """The strongest 2 * max_detections boxes are not enough where they suppress each other."""
    xyxy, score, class_id = pile(10)
    apart = np.float32([[100, 100, 110, 110], [200, 100, 210, 110], [300, 100, 310, 110]])
    found = suppress(
        np.concatenate([xyxy, apart]),
        np.concatenate([score, np.float32([0.4, 0.3, 0.2])]),
        np.concatenate([class_id, np.int64([0, 0, 0])]),
        NmsOptions(max_detections=3),
    )
    np.testing.assert_array_equal(found.score, np.float32([0.9, 0.4, 0.3]))


def test_boxes_behind_duplicates_keep_their_class() -> None:
    """The second pass over all boxes separates classes as the first does."""
    xyxy, score, class_id = pile(10)
    found = suppress(
        np.concatenate([xyxy, xyxy[:1]]),
        np.append(score, np.float32(0.1)),
        np.append(class_id, 3),
        NmsOptions(max_detections=2),
    )
    assert found.class_id.tolist() == [0, 3]
    np.testing.assert_array_equal(found.score, np.float32([0.9, 0.1]))


def test_two_boxes_are_enough_to_suppress_one() -> None:
    assert len(suppress(*pile(2), NmsOptions())) == 1


def test_classes_are_apart_whatever_their_coordinates() -> None:
    """Neighbouring classes that together cover the whole plane do not touch after being moved apart."""
    xyxy = np.float32([[-50, -50, 50, 50], [-50, -50, 50, 50], [-50, -50, 50, 50]])
    found = suppress(xyxy, np.float32([0.9, 0.8, 0.7]), np.array([0, 1, 2]), NmsOptions(iou_threshold=0.0))
    assert found.class_id.tolist() == [0, 1, 2]
    shifted = suppress(xyxy + 1000, np.float32([0.9, 0.8, 0.7]), np.array([2, 1, 0]), NmsOptions(iou_threshold=0.0))
    assert shifted.class_id.tolist() == [2, 1, 0]


def test_class_agnostic_boxes_of_all_classes_suppress_each_other() -> None:
    """One object that is a mug and a bowl at once is the better of both; a class of its own keeps its box where none is near."""
    xyxy = np.float32([[0, 0, 50, 50], [1, 1, 51, 51], [100, 0, 150, 50]])
    score, class_id = np.float32([0.6, 0.7, 0.5]), np.array([0, 1, 0])
    assert suppress(xyxy, score, class_id, NmsOptions()).class_id.tolist() == [1, 0, 0]
    found = suppress(xyxy, score, class_id, NmsOptions(class_agnostic=True))
    assert found.class_id.tolist() == [1, 0]
    assert found.score.tolist() == pytest.approx([0.7, 0.5])
    turned = np.hstack([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2], np.zeros((3, 1))]).astype(np.float32)
    assert len(suppress_rotated(turned, score, class_id, NmsOptions())) == 3
    assert suppress_rotated(turned, score, class_id, NmsOptions(class_agnostic=True)).class_id.tolist() == [1, 0]


def test_equal_scores_keep_their_order() -> None:
    score = np.zeros(3000, np.float32)
    assert top_scores(score[:50]).tolist() == list(range(50))
    score[2500:] = 1
    assert top_scores(score, 600).tolist()[:500] == list(range(2500, 3000))


def test_results_have_the_documented_types() -> None:
    xyxy, score, class_id = pile(3)
    found = suppress(xyxy.astype(np.float64), score.astype(np.float64), class_id.astype(np.int32), NmsOptions())
    assert (found.xyxy.dtype, found.score.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int64)
    assert found.xyxy.flags.c_contiguous


@pytest.mark.parametrize("transposed", [False, True], ids=["rows", "columns"])
def test_a_score_at_the_threshold_is_kept(transposed: bool) -> None:
    scores = np.float32([[0.5, 0.1], [0.25, 0.2], [0.2, 0.25], [0.0, 0.1]])
    kept, class_id, score = best_class(np.asfortranarray(scores) if transposed else scores, 0.25)
    assert kept.tolist() == [0, 1, 2]
    assert class_id.tolist() == [0, 0, 1]
    assert score.tolist() == [0.5, 0.25, 0.25]


def test_options_from_a_card() -> None:
    assert NmsOptions.from_card({}) == NmsOptions(0.25, 0.6, 100)
    assert NmsOptions.from_card(
        {"score_threshold": 0.5, "iou_threshold": 1, "max_detections": 3.0, "strides": [8]}
    ) == NmsOptions(0.5, 1.0, 3)
    assert NmsOptions.from_card({"class_agnostic": True}).class_agnostic
