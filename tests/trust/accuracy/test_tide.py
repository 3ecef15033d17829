"""Costs of errors against those that TIDE's own program (tidecv 1.0.1) gave for the same generated boxes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes, Sample
from edgecnn.metrics.classmap import identity
from edgecnn.shown_scores import ShownScores
from edgecnn.trust.accuracy.error_cost import ErrorCollector
from edgecnn.trust.judgement import judge
from edgecnn.types import Detections, Image

BY_TIDECV = {
    "localisation": 13.322,
    "class": 4.637,
    "both": 1.388,
    "duplicate": 0.756,
    "background": 7.799,
    "missed": 9.997,
    "all false boxes": 28.894,
    "all objects not found": 20.028,
}


def image() -> Image:
    return np.zeros((4, 4, 3), np.uint8)


def generated(draw: np.random.Generator) -> tuple[Boxes, Detections]:
    """One image: some objects, boxes near them, some of another class, and two boxes anywhere."""
    count = draw.integers(1, 6)
    corner = draw.uniform(0, 200, (count, 2))
    true = np.concatenate([corner, corner + draw.uniform(30, 90, (count, 2))], 1).astype(np.float32)
    ids = draw.integers(0, 3, count)
    times = draw.integers(0, 3, count)
    near = (np.repeat(true, times, 0) + draw.normal(0, 9, (times.sum(), 4))).astype(np.float32)
    near_ids = np.where(draw.random(len(near)) < 0.3, draw.integers(0, 3, len(near)), np.repeat(ids, times))
    score = draw.random(len(near)).astype(np.float32)
    place = draw.uniform(0, 250, (2, 2))
    boxes = np.concatenate([near, np.concatenate([place, place + 40], 1)]).astype(np.float32)
    box_ids = np.concatenate([near_ids, draw.integers(0, 3, 2)]).astype(np.int64)
    return Boxes(true, ids), Detections(boxes, np.concatenate([score, draw.random(2)]).astype(np.float32), box_ids)


def test_all_costs_are_those_of_tide() -> None:
    draw, collector = np.random.default_rng(0), ErrorCollector()
    for _ in range(60):
        truth, found = generated(draw)
        collector.add(judge(found, Sample("a", image, boxes=truth), identity(3), threshold=0.0))
    costs = {one.kind: 100 * one.cost.value for one in collector.table().costs(ShownScores(0.0), 0)}
    assert costs == {kind: pytest.approx(value, abs=5e-4) for kind, value in BY_TIDECV.items()}
