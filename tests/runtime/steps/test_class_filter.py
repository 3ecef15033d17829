"""The class filter: thresholds, controls, trails, unknown classes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.runtime.steps.class_filter import ClassFilter
from edgecnn.shown_scores import ShownScores
from edgecnn.types import Detections, Frame, Poses, Result
from tests.runtime.steps.results import IMAGE, LABELS, box, detections, result


def filtered(step: ClassFilter, *scores: float, class_id: int = 0, track_id: np.ndarray | None = None) -> list[float]:
    n = len(scores)
    found = Detections(np.zeros((n, 4), np.float32), np.float32(scores), np.full(n, class_id), track_id)
    return [round(float(score), 3) for score in detections(step(result(found))).score]


def test_a_score_at_the_threshold_is_shown() -> None:
    assert filtered(ClassFilter(LABELS, None, 0.5), 0.5, 0.49) == [0.5]
    assert filtered(ClassFilter(LABELS), 0.5, 0.01) == [0.5, 0.01]
    whole = result(box(100, 100))
    assert ClassFilter(LABELS, ["person"], 0.5)(whole) is whole
    assert filtered(ClassFilter(LABELS, None, 0.5, Controls()), 0.4, track_id=np.array([1])) == [0.4]


def test_controls_outvote_the_threshold_and_leave_it_alone_otherwise() -> None:
    controls = Controls()
    step = ClassFilter(LABELS, ["person"], 0.5, controls)
    assert filtered(step, 0.6, 0.4) == [0.6]
    assert filtered(step, 0.6, class_id=1) == []
    controls.change(score_threshold=0.3)
    assert filtered(step, 0.6, 0.4, 0.2) == [0.6, 0.4]
    controls.change(only=frozenset(["CAR"]))
    assert filtered(step, 0.6) == []
    assert filtered(step, 0.6, class_id=1) == [0.6]


def test_trails_of_boxes_that_stay_stay() -> None:
    two = Detections(np.zeros((2, 4), np.float32), np.float32([0.9, 0.9]), np.array([0, 1]), np.array([3, 4]))
    trails = {3: np.zeros((1, 2), np.float32), 4: np.zeros((1, 2), np.float32), 5: np.zeros((1, 2), np.float32)}
    kept = ClassFilter(LABELS, ["car"])(Result(Frame(0, 0.0, IMAGE), two, {}, 0.0, trails=trails))
    assert list(kept.trails) == [4]
    assert detections(kept).class_id.tolist() == [1]


def test_unknown_classes_are_listed_with_the_first_of_many() -> None:
    names = [f"c{index}" for index in range(13)]
    with pytest.raises(InputError) as caught:
        ClassFilter(names, ["c1", "x", "y"])
    assert str(caught.value) == (f"--only: the model has no class x, y; choose from {', '.join(names[:12])}, ... (13 in all)")
    with pytest.raises(InputError, match=r"c11$"):
        ClassFilter(names[:12], ["x"])


def test_poses_are_filtered_by_score_alone() -> None:
    poses = Poses(np.zeros((2, 3, 3), np.float32), np.float32([0.5, 0.2]), np.zeros((2, 4), np.float32))
    result = Result(Frame(0, 0.0, IMAGE), poses, {}, 0.0)
    keys = ["nose", "left eye", "right eye"]
    assert ClassFilter(keys, None, 0.3)(result).prediction.score.tolist() == [0.5]
    assert ClassFilter(keys, ["nose"])(result) is result
    controls = Controls()
    step = ClassFilter(keys, None, 0.3, controls)
    controls.change(score_threshold=0.1)
    assert step(result) is result


def test_classes_have_their_own_scores_until_a_viewer_sets_one_for_all() -> None:
    controls = Controls()
    step = ClassFilter(LABELS, None, ShownScores(0.5, {1: 0.2}), controls)
    assert filtered(step, 0.6, 0.4) == [0.6]
    assert filtered(step, 0.3, 0.1, class_id=1) == [0.3]
    controls.change(score_threshold=0.35)
    assert filtered(step, 0.6, 0.4) == [0.6, 0.4]
    assert filtered(step, 0.3, 0.1, class_id=1) == []
