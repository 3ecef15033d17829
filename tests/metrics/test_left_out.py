"""The metric without each group of images against a measurement without them; the paired interval against its promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from edgecnn.metrics.classification import ClassificationAccumulator
from edgecnn.metrics.image_quality import QualityAccumulator
from edgecnn.metrics.left_out import GROUPS, left_out, paired_difference
from edgecnn.metrics.multilabel import MultiLabelAccumulator
from edgecnn.metrics.regression import RegressionAccumulator
from edgecnn.metrics.segmentation import SegmentationAccumulator
from edgecnn.types import Boxes, Detections

LABELS = ("a", "b", "c")
IMAGES = GROUPS + 8  # the first groups have two images
RANDOM = np.random.default_rng(3)


def classified() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    return ClassificationAccumulator(LABELS), [(RANDOM.random(3), int(RANDOM.integers(3))) for _ in range(IMAGES)]


def regressed() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    return RegressionAccumulator(("level",)), [(float(RANDOM.random()), float(RANDOM.random())) for _ in range(IMAGES)]


def segmented() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    masks = RANDOM.integers(0, 3, (IMAGES, 2, 4, 4)).astype(np.uint8)
    return SegmentationAccumulator(LABELS), [(found, truth) for found, truth in masks]


def labelled() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    truth = [frozenset(np.flatnonzero(RANDOM.random(3) < 0.4).tolist()) for _ in range(IMAGES)]
    return MultiLabelAccumulator(LABELS), [(RANDOM.random(3), 0.5, one, frozenset({2})) for one in truth]


def restored() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    pictures = RANDOM.integers(0, 255, (IMAGES, 3, 16, 16, 3)).astype(np.uint8)
    return QualityAccumulator(), [(a, b, c) for a, b, c in pictures]


def detected() -> tuple[Any, Sequence[tuple[Any, ...]]]:
    from edgecnn.metrics.average_precision import DetectionAccumulator

    def image() -> tuple[Detections, Boxes]:
        corner = RANDOM.integers(0, 40, (3, 2))
        truth = np.concatenate([corner, corner + 20], 1).astype(np.float32)
        found = truth + RANDOM.normal(0, 2, (3, 4)).astype(np.float32)
        scores, classes = RANDOM.random(3).astype(np.float32), RANDOM.integers(0, 3, 3)
        return Detections(found, scores, classes), Boxes(truth, classes)

    return DetectionAccumulator(LABELS), [image() for _ in range(IMAGES)]


@pytest.mark.parametrize("make", [classified, regressed, segmented, labelled, restored, detected])
def test_left_out_is_the_metric_without_the_images(make: Callable[[], Any]) -> None:
    whole, images = make()
    parts = [make()[0] for _ in range(GROUPS)]
    for number, image in enumerate(images):
        whole.add(*image)
        for group, part in enumerate(parts):
            if number % GROUPS != group:
                part.add(*image)
    found = whole.score(()).left_out
    assert found == pytest.approx([part.score(()).primary for part in parts])
    assert len(set(found)) > 2


def test_few_images_have_no_groups() -> None:
    assert left_out(7, lambda kept: float(kept.mean())) == ()
    assert len(left_out(8, lambda kept: float(kept.mean()))) == 8
    assert left_out(8, lambda kept: float("nan") if kept[0] else 1.0) == ()


def pair(images: int, seed: int, change: float) -> tuple[np.ndarray, np.ndarray]:
    """What two classifiers get right: 30 % of the images are hard for both, and the second one gets ``change`` more of them wrong."""
    random = np.random.default_rng(seed)
    before = random.random(images) < 0.7
    return before, before & (random.random(images) >= change) | ~before & (random.random(images) < 0.02)


def interval(before: np.ndarray, after: np.ndarray) -> Any:
    sides = [left_out(len(one), lambda kept, one=one: float(one[kept].mean())) for one in (before, after)]
    return paired_difference(after.mean() - before.mean(), *sides, len(before), 0.95, share=True)


@pytest.mark.parametrize("images", [100, 1000])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(images: int) -> None:
    true = -0.7 * 0.03 + 0.3 * 0.02
    found = [interval(*pair(images, seed, 0.03)) for seed in range(400)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.93
    assert np.mean([one.high - one.low for one in found]) < 2.6 * 1.96 * np.sqrt((0.7 * 0.03 + 0.3 * 0.02) / images)


def test_images_that_are_hard_for_both_do_not_widen_the_interval() -> None:
    before, after = pair(1000, 1, 0.03)
    paired, mixed = interval(before, after), interval(before, np.random.default_rng(0).permutation(after))
    assert paired.high - paired.low < 0.5 * (mixed.high - mixed.low)


def test_models_that_agree_on_few_images_are_not_equal_for_certain() -> None:
    right = np.ones(100, np.bool_)
    found = interval(right, right)
    assert found.low == -found.high
    assert 0.018 < found.high < 0.025  # 2.04 / 100
    many = interval(np.ones(5000, np.bool_), np.ones(5000, np.bool_))
    assert many.high < 0.0005


def test_scores_of_other_numbers_of_images_are_no_pair() -> None:
    assert paired_difference(0.1, [0.5] * 8, [0.6] * 9, 9, 0.95, share=True) is None
    assert paired_difference(0.1, [], [], 4, 0.95, share=True) is None
