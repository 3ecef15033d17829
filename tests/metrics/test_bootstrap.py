"""Intervals of mAP against what is known of the share of images that are right."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes
from edgecnn.metrics.average_precision import DetectionAccumulator, average_precision
from edgecnn.types import Detections

BOX = np.array([[10, 10, 60, 60]], np.float32)


def accumulator(images: int, right: int) -> dict[str, float]:
    """One box in each image, found in the first ``right`` of them."""
    collected = DetectionAccumulator(("a",))
    for index in range(images):
        found = Detections(BOX, np.array([0.9], np.float32), np.array([0])) if index < right else Detections.empty()
        collected.add(found, Boxes(BOX, np.array([0])))
    return dict(collected.score(()).values)


def test_the_interval_holds_the_value_and_is_as_wide_as_the_binomial_one() -> None:
    values = accumulator(images=100, right=70)
    assert values["ap50"] == pytest.approx(0.70, abs=0.01)
    assert values["ap50_low"] < values["ap50"] < values["ap50_high"]
    spread = 1.96 * (0.7 * 0.3 / 100) ** 0.5
    assert values["ap50_high"] - values["ap50_low"] == pytest.approx(2 * spread, rel=0.3)
    assert values["map_low"] == pytest.approx(values["ap50_low"])


def test_more_images_make_it_narrower() -> None:
    few, many = accumulator(20, 14), accumulator(320, 224)
    assert many["ap50_high"] - many["ap50_low"] < 0.5 * (few["ap50_high"] - few["ap50_low"])


def test_it_is_the_same_each_time_and_leaves_the_value_alone() -> None:
    assert accumulator(30, 20) == accumulator(30, 20)
    assert accumulator(10, 10)["map"] == pytest.approx(1.0)


def test_one_image_says_nothing_of_others() -> None:
    assert "map_low" not in accumulator(1, 1)


def test_an_image_drawn_twice_counts_as_two_images() -> None:
    draw, once, twice = np.random.default_rng(3), DetectionAccumulator(("a",)), DetectionAccumulator(("a",))
    weight = draw.integers(0, 3, 30)
    for times in weight:
        corner = draw.uniform(0, 200, (int(draw.integers(1, 6)), 2))
        true = np.concatenate([corner, corner + draw.uniform(20, 80, corner.shape)], 1).astype(np.float32)
        guess = (true + draw.normal(0, 6, true.shape)).astype(np.float32)
        ids = np.zeros(len(true), np.int64)
        image = Detections(guess, draw.random(len(true)).astype(np.float32), ids), Boxes(true, ids)
        once.add(*image)
        for _ in range(times):
            twice.add(*image)
    weighted = once.score(()).matches.of_class(0).precision(weight[None])[0]
    drawn = average_precision(twice.score(()).matches.of_classes([0]))[0]
    np.testing.assert_allclose(weighted, drawn, atol=0.01)  # ties are in another order: precision may differ between two copies
