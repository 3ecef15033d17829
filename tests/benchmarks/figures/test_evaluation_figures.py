"""The figures of `edgecnn evaluate`: what they say of results that are within and beyond their limits."""

from __future__ import annotations

from edgecnn.benchmarks.figures import coco_agreement, evaluation_cost


def test_a_difference_is_named() -> None:
    row = {"name": "A", "images": 2, "boxes": 3, "ours": {"map": 0.5}, "pycocotools": {"map": 0.5}, "difference": 1e-5}
    assert coco_agreement.conclusion([row]) == "equal within 0.0001: all"
    assert coco_agreement.conclusion([row, {**row, "name": "B", "difference": 2e-4}]) == "equal within 0.0001: not B"
    assert "1.0e-05" in coco_agreement.table([row])


def test_a_ratio_that_is_not_reached_says_so() -> None:
    row = {"ratio": 1.31, "ratio_with_reading": 1.5, "ratio_of_wall_time": 1.4}
    assert "1.31 times the model's own work without reading images (not reached" in evaluation_cost.conclusion(row)
    assert "(reached" in evaluation_cost.conclusion({**row, "ratio": 1.3})


def test_the_median_round_counts() -> None:
    rows = [{"ratio": ratio, "images": images} for ratio, images in ((1.5, 1), (1.1, 2), (1.2, 3))]
    assert evaluation_cost.median(rows) == {"ratio": 1.2, "images": 3, "ratios": [1.5, 1.1, 1.2]}
