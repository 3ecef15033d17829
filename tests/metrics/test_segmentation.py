"""Metrics of masks, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.metrics.segmentation import SegmentationAccumulator, confusion, segmentation_metrics, shares

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
FOUND = np.array([[0, 1, 1, 1], [0, 0, 0, 7]], np.uint8)


def test_iou_and_dice_by_hand() -> None:
    counts = confusion(TRUTH, FOUND, 2)
    assert counts.tolist() == [[3, 1, 0], [1, 2, 0]]
    iou, dice = shares(counts)
    assert iou == {0: pytest.approx(3 / 5), 1: pytest.approx(2 / 4)}
    assert dice == {0: pytest.approx(6 / 8), 1: pytest.approx(4 / 6)}
    assert segmentation_metrics(counts)["pixel_accuracy"] == pytest.approx(5 / 7)


def test_a_class_that_the_dataset_lacks_is_wrong_and_counts_for_no_other() -> None:
    counts = confusion(np.zeros((1, 2), np.uint8), np.array([[0, 9]], np.uint8), 2)
    assert counts.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert segmentation_metrics(counts)["miou"] == 0.5


def test_classes_without_truth_do_not_lower_the_mean() -> None:
    accumulator = SegmentationAccumulator(("background", "cup", "plate"))
    accumulator.add(TRUTH % 255, TRUTH % 255)
    score = accumulator.score(())
    assert score.values["miou"] == 1.0
    assert "plate" not in score.per_class


def test_images_count_together_not_one_by_one() -> None:
    accumulator = SegmentationAccumulator(("background", "cup"))
    accumulator.add(np.zeros((1, 8), np.uint8), np.zeros((1, 8), np.uint8))
    accumulator.add(np.zeros((1, 2), np.uint8), np.ones((1, 2), np.uint8))
    assert accumulator.score(()).values["miou"] == pytest.approx((8 / 10 + 0) / 2)


def test_masks_without_any_class_are_refused() -> None:
    accumulator = SegmentationAccumulator(("background",))
    accumulator.add(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
    with pytest.raises(InputError, match="no pixel with a class"):
        accumulator.score(())


def test_masks_of_other_sizes_are_an_error() -> None:
    with pytest.raises(ValueError, match="can't be compared"):
        SegmentationAccumulator(("a",)).add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
