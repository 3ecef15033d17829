"""OKS and its AP, against pycocotools and values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.metrics.key_points import COCO_SIGMAS, oks_matrix, sigmas
from edgecnn.metrics.pose_precision import PoseAccumulator
from edgecnn.types import Boxes, Float32, Poses

KEYS = ("rim", "rim left", "rim right", "foot")


def objects(count: int, seed: int = 0) -> tuple[Float32, Boxes]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 200, (count, 1, 2))
    places = corner + rng.uniform(0, 80, (count, 4, 2))
    points = np.concatenate([places, np.full((count, 4, 1), 2.0)], 2).astype(np.float32)
    xyxy = np.concatenate([places.min(1), places.max(1)], 1).astype(np.float32)
    return points, Boxes(xyxy, np.zeros(count, np.int64))


def as_poses(points: Float32, boxes: Boxes, score: float = 0.9) -> Poses:
    return Poses(points, np.full(len(points), score, np.float32), boxes.xyxy)


def test_one_deviation_away_is_exp_of_minus_one_half() -> None:
    truth = np.array([[[0, 0, 2], [0, 0, 0]]], np.float32)
    # sigma 0.05 doubled, of an object of 100 x 100 pixels: 10 pixels
    other = np.array([[[10, 0, 1], [999, 999, 1]]], np.float32)
    assert oks_matrix(truth, other, np.array([1e4]), (0.05, 0.05))[0, 0] == pytest.approx(np.exp(-0.5))


def test_matches_pycocotools() -> None:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    truth, boxes = objects(3)
    other = truth + np.random.default_rng(5).normal(0, 4, truth.shape).astype(np.float32)
    area = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1)
    run = cocoeval.COCOeval(iouType="keypoints")
    run.params.kpt_oks_sigmas = np.array(sigmas(4))
    run._gts = {(1, 1): [
        {"keypoints": t.ravel().tolist(), "bbox": [0, 0, 1, 1], "area": float(a)} for t, a in zip(truth, area, strict=True)
    ]}  # fmt: skip
    run._dts = {(1, 1): [{"keypoints": o.ravel().tolist(), "score": 1.0} for o in other]}
    np.testing.assert_allclose(oks_matrix(truth, other, area, sigmas(4)).T, run.computeOks(1, 1), rtol=1e-6)


def test_perfect_poses_have_an_ap_of_one_and_far_ones_of_zero() -> None:
    pytest.importorskip("pycocotools")
    for shift, wanted in ((0.0, 1.0), (500.0, 0.0)):
        accumulator = PoseAccumulator(KEYS)
        for seed in range(3):
            truth, boxes = objects(4, seed)
            moved = truth + np.array([shift, 0, 0], np.float32)
            accumulator.add(as_poses(moved, boxes), boxes, truth)
        score = accumulator.score(())
        assert score.primary == pytest.approx(wanted)
        assert score.n == 3


def test_objects_without_key_points_and_crowds_are_not_missed() -> None:
    pytest.importorskip("pycocotools")
    truth, boxes = objects(3)
    truth[1, :, 2] = 0
    boxes = Boxes(boxes.xyxy, boxes.class_id, None, np.array([False, False, True]))
    accumulator = PoseAccumulator(KEYS)
    accumulator.add(as_poses(truth[:1], boxes.pick(np.array([0]))), boxes, truth)
    assert accumulator.score(()).primary == pytest.approx(1.0)


def test_deviations_of_seventeen_points_are_those_of_coco() -> None:
    assert sigmas(17) == COCO_SIGMAS
    assert len(sigmas(5)) == 5
    assert sigmas(2, (0.1, 0.2)) == (0.1, 0.2)
