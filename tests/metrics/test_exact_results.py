"""Metrics to the last field: bins, ties, thresholds, intervals, notes, records and reports."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.labels import normalize
from edgecnn.metrics import bootstrap
from edgecnn.metrics.average_precision import DetectionAccumulator
from edgecnn.metrics.classification import ClassificationAccumulator, calibration_error
from edgecnn.metrics.classmap import identity, match_labels, shown
from edgecnn.metrics.match import iou_matrix, match
from edgecnn.metrics.regression import RegressionAccumulator
from edgecnn.metrics.report import report_lines
from edgecnn.metrics.score import Score
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Boxes, Classes, Detections, Image


def boxes(*rows: tuple[float, ...]) -> Detections:
    """Detections of class 0 from x1, y1, x2, y2, score."""
    table = np.float32(rows).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4], np.zeros(len(table), np.int64))


# classification


def test_calibration_error_by_hand() -> None:
    """Two bins: (0, 0.5] with 0 in it, and above; a score a little above 1 is in the last."""
    scores, correct = np.array([0.0, 0.5, 0.75, 1.0005]), np.array([True, True, False, True])
    expected = (abs(2 - 0.5) + abs(1 - 1.7505)) / 4
    assert calibration_error(scores, correct, bins=2) == pytest.approx(expected)
    assert calibration_error(np.array([1 / 15, 2 / 15]), np.array([True, False])) == pytest.approx((14 / 15 + 2 / 15) / 2)


def score_of(labels: int, *images: tuple[list[float], int]) -> Score:
    made = ClassificationAccumulator(tuple("abcdefgh"[:labels]))
    for scores, truth in images:
        made.add(np.float32(scores), truth)
    return made.score(())


def test_equal_scores_rank_by_class_id() -> None:
    found = score_of(8, ([0.5] * 8, 7), ([0.5] * 8, 4), ([0.5] * 8, 0))
    assert found.values["top1"] == pytest.approx(1 / 3)
    assert found.values["top5"] == pytest.approx(2 / 3)


def test_top5_needs_more_than_five_classes() -> None:
    assert "top5" not in score_of(5, ([1, 0, 0, 0, 0], 0)).values
    assert "top5" in score_of(6, ([1, 0, 0, 0, 0, 0], 0)).values


@pytest.mark.parametrize(
    ("scores", "is_probability"),
    [
        pytest.param([0.0, 0.0], True, id="zero"),
        pytest.param([1.0009, 0.0], True, id="rounding"),
        pytest.param([1.01, 0.0], False, id="above-one"),
        pytest.param([-0.5, -1.0], False, id="below-zero"),
    ],
)
def test_calibration_is_measured_for_probabilities(scores: list[float], is_probability: bool) -> None:
    assert ("ece" in score_of(2, (scores, 0)).values) == is_probability


# classes by name


def test_names_in_one_spelling() -> None:
    assert normalize("  With__Mask-now ") == "with mask now"
    assert normalize("TVmonitor") == "tv"


def test_eight_names_are_shown_nine_are_cut() -> None:
    assert shown("abcdefgh") == "a, b, c, d, e, f, g, h"
    assert shown("abcdefghi") == "a, b, c, d, e, f, g, h, ... (9 in all)"


def test_maps_by_position_and_of_one_value() -> None:
    by_position = match_labels((), ("cat", "dog"))
    assert (by_position.count, by_position.dataset_class.tolist()) == (2, [0, 1])
    assert by_position.notes == ("the model's classes have no names: they were matched to the dataset's by position",)
    assert find("regress").match_labels(("a",), ("b",)).count == 1
    assert match_labels(("b", "x"), ("a", "b")).dataset_class.tolist() == [1, -1]
    with pytest.raises(InputError, match="the dataset has images, but no labels or boxes"):
        match_labels(("a",), ())


def test_mapped_detections_keep_their_identities_and_scores_their_type() -> None:
    found = Detections(np.zeros((2, 4), np.float32), np.float32([1, 2]), np.array([0, 1]), np.array([5, 6]))
    kept = match_labels(("a", "x"), ("a",)).detections(found)
    assert kept.track_id is not None
    assert kept.track_id.tolist() == [5]
    assert identity(2).scores(Classes(np.float32([0.5, 0.25]))).dtype == np.float32


# matching of boxes


def test_iou_of_small_empty_and_inverted_boxes() -> None:
    small = np.float32([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.25]])
    assert iou_matrix(small, small).tolist() == [[1, 0.5], [0.5, 1]]
    empty = np.float32([[1, 1, 1, 1]])
    assert iou_matrix(empty, empty).tolist() == [[0]]
    inverted = np.float32([[2, 2, 0, 0]])
    assert iou_matrix(inverted, np.float32([[0, 0, 2, 2]])).tolist() == [[0]]
    assert iou_matrix(small.astype(np.float64), small).dtype == np.float32


def test_an_overlap_of_exactly_the_threshold_matches() -> None:
    found = match(boxes((0, 0, 2, 2, 0.9)), boxes((0, 0, 2, 1, 0.8)), iou=0.5)
    assert found.pairs.tolist() == [[0, 0]]
    assert len(match(boxes((0, 0, 2, 2, 0.9)), boxes((0, 0, 2, 1, 0.8)), iou=0.51)) == 0


def test_of_equal_scores_the_first_chooses_first() -> None:
    found = match(boxes(*[(0, 0, 2, 2, 0.5)] * 20), boxes((0, 0, 2, 2, 0.9)))
    assert found.pairs.tolist() == [[0, 0]]
    assert found.score_difference.tolist() == [pytest.approx(0.4)]


# detection


def accumulated(labels: tuple[str, ...], *images: tuple[Detections, Boxes]) -> DetectionAccumulator:
    made = DetectionAccumulator(labels)
    for found, truth in images:
        made.add(found, truth)
    return made


ONE = Boxes(np.float32([[0, 0, 100, 100]]), np.array([0]))
RIGHT, HALF = boxes((0, 0, 100, 100, 0.9)), boxes((0, 0, 100, 52, 0.9))


def test_intervals_of_boxes_that_only_half_fit() -> None:
    """An IoU of 0.52 counts at 0.5 alone: a tenth of the thresholds."""
    values = accumulated(("cup", "plate"), (HALF, ONE), (HALF, ONE)).score(()).values
    expected = {"map": 0.1, "ap50": 1.0, "map_low": 0.1, "map_high": 0.1, "ap50_low": 1.0, "ap50_high": 1.0}
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_intervals_span_from_all_missed_to_all_found() -> None:
    """With one image found and one missed, resamples hold 0, 1 or 2 found ones."""
    made = accumulated(("cup",), (RIGHT, ONE), (Detections.empty(), ONE))
    values = made.score(()).values
    assert (values["map_low"], values["map_high"]) == (0.0, pytest.approx(1.0))
    assert values["map"] == pytest.approx(51 / 101)
    assert made.score(()).values == values  # the resamples are the same each time


def test_a_class_without_detections_lowers_the_mean() -> None:
    two = Boxes(np.float32([[0, 0, 100, 100], [200, 0, 300, 100]]), np.array([0, 1]))
    score = accumulated(("cup", "plate", "mug"), (RIGHT, two), (RIGHT, two)).score(("a note",))
    assert (score.labels, score.notes, score.n) == (("cup", "plate", "mug"), ("a note",), 2)
    assert score.per_class == {"cup": pytest.approx(1), "plate": 0}
    assert (score.values["map_low"], score.values["map_high"]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_one_image_has_no_interval() -> None:
    assert "map_low" not in accumulated(("cup",), (RIGHT, ONE)).score(()).values


@pytest.mark.parametrize(("detections", "resamples"), [(0, 200), (800_000, 200), (1_600_000, 100), (3_200_000, 50), (10**8, 50)])
def test_many_detections_get_fewer_resamples(detections: int, resamples: int) -> None:
    assert bootstrap.resample_count(detections) == resamples


def test_more_boxes_than_one_limit_of_detections_count() -> None:
    """AP is that of 100 detections an image, not of 1 or 10."""
    truth = Boxes(np.float32([[20 * at, 0, 20 * at + 10, 10] for at in range(30)]), np.zeros(30, np.int64))
    found = boxes(*[(20 * at, 0, 20 * at + 10, 10, 0.9 - at / 100) for at in range(30)])
    score = accumulated(("cup",), (found, truth)).score(())
    assert score.per_class == {"cup": pytest.approx(1)}
    assert score.values["ar"] == pytest.approx(1)


# evaluation


def image(value: int) -> Any:
    return lambda: np.full((4, 4, 3), value, np.uint8)


def unreadable(name: str) -> Sample:
    def read() -> Image:
        raise InputError(f"{name} is no image", "check it")

    return Sample(name, read, label=0)


def two_classes(found: Image) -> Classes:
    return Classes(np.float32([0.9, 0.1]))


@pytest.mark.parametrize(
    ("count", "listed"),
    [
        (2, "(2): x0 (x0 is no image), x1 (x1 is no image)"),
        (3, "(3): x0 (x0 is no image), x1 (x1 is no image), x2 (x2 is no image)"),
        (4, "(4): x0 (x0 is no image), x1 (x1 is no image), x2 (x2 is no image), ..."),
    ],
)
def test_three_unreadable_images_are_listed(count: int, listed: str) -> None:
    samples = [Sample("a", image(0), label=0), *(unreadable(f"x{number}") for number in range(count))]
    score = evaluate(two_classes, Dataset("d", "classify", ("a", "b"), samples))
    assert score.notes == (f"images that could not be read are left out {listed}",)


def test_only_key_points_need_pycocotools(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pycocotools", "pycocotools.coco", "pycocotools.cocoeval"):
        monkeypatch.setitem(sys.modules, name, None)
    read: list[int] = []

    def reading() -> Image:
        read.append(1)
        return np.zeros((4, 4, 3), np.uint8)

    sample = Sample("a", reading, boxes=ONE)
    assert evaluate(lambda _: RIGHT, Dataset("d", "detect", ("cup",), [sample])).primary == pytest.approx(1)
    with pytest.raises(MissingExtraError, match="pycocotools is not installed"):
        evaluate(lambda _: RIGHT, Dataset("d", "pose", ("tip",), [sample]))
    assert read == [1]  # it is said before the first image is read


def test_detections_for_a_sample_without_boxes_are_refused() -> None:
    with pytest.raises(InputError, match="a dataset of boxes needs a detector"):
        evaluate(lambda _: RIGHT, Dataset("d", "detect", ("cup",), [Sample("a", image(0))]))
    with pytest.raises(InputError, match="a dataset of boxes needs a detector, but the model is a classifier"):
        evaluate(two_classes, Dataset("d", "detect", ("cup",), [Sample("a", image(0), boxes=ONE)]))


# records and reports


def test_a_score_as_json() -> None:
    score = Score(
        "classify", 2, ("a", "b"), {"top1": 0.5}, {"a": 1.0}, {"a": 1}, np.array([[1, 0], [1, 0]]), ("n",), metric="top1"
    )
    assert score.to_dict() == {
        "task": "classify",
        "n": 2,
        "labels": ["a", "b"],
        "values": {"top1": 0.5},
        "per_class": {"a": 1.0},
        "support": {"a": 1},
        "confusion": [[1, 0], [1, 0]],
        "notes": ["n"],
        "left_out": [],
        "images_digest": "",
    }
    assert (score.primary, score.primary_title) == (0.5, "top-1")
    made = RegressionAccumulator(("level",))
    made.add(1.5, 1.0)
    made.add(2.0, 3.0)
    record = made.score(("m",)).to_dict()
    assert record["pairs"] == [[1.0, 1.5], [3.0, 2.0]]
    assert (record["task"], record["n"], record["labels"], record["notes"]) == ("regress", 2, ["level"], ["m"])
    assert (record["per_class"], record["support"], record["confusion"]) == ({}, {}, None)


def test_a_report_line_by_line() -> None:
    confusion = np.array([[5, 3, 0], [2, 4, 1], [0, 0, 6]])
    score = Score(
        "classify",
        21,
        ("cat", "zebra", "ox"),
        {"top1": 0.714, "top1_low": 0.5, "top1_high": 0.875, "ece": 0.05},
        {"cat": 0.625, "zebra": 0.5714, "ox": 1.0},
        {"cat": 8, "zebra": 7, "ox": 1234},
        confusion,
        ("first", "second"),
        metric="top1",
    )
    assert report_lines(score) == [
        "  top-1                     71.40 %   95 % interval 50.00 % to 87.50 %",
        "  calibration error (ECE)    5.00 %",
        "",
        "  class    images   accuracy",
        "  cat           8    62.50 %",
        "  zebra         7    57.14 %",
        "  ox        1,234   100.00 %",
        "",
        "  most frequent confusions",
        "  cat    as zebra: 3 of 8",
        "  zebra  as cat: 2 of 7",
        "",
        "  note: first",
        "  note: second",
    ]


def test_a_report_of_boxes_says_boxes() -> None:
    score = Score(
        "detect", 1, ("cup",), {"map": 0.5}, {"cup": 0.5}, {"cup": 2}, counted="boxes", measured="mAP@50-95", metric="map"
    )
    assert report_lines(score) == [
        "  mAP@50-95                 50.00 %",
        "",
        "  class     boxes  mAP@50-95",
        "  cup           2    50.00 %",
    ]


@pytest.mark.parametrize(("classes", "shown_classes"), [(20, 20), (21, 20)])
def test_a_report_shows_the_twenty_most_frequent_classes(classes: int, shown_classes: int) -> None:
    names = tuple(f"c{index}" for index in range(classes))
    support = {name: 10 + index for index, name in enumerate(names)}
    lines = report_lines(Score("classify", 9, names, {"top1": 1.0}, dict.fromkeys(names, 1.0), support, metric="top1"))
    rows = [line.split()[0] for line in lines if line.startswith("  c") and "class " not in line]
    assert len(rows) == shown_classes
    assert rows[0] == ("c0" if classes == 20 else "c20")
    assert ("  and 1 rarer classes (--json FILE has all)" in lines) == (classes == 21)


def test_five_confusions_of_two_or_more_are_shown() -> None:
    confusion = np.zeros((7, 7), np.int64)
    confusion[np.arange(6), np.arange(1, 7)] = [9, 8, 7, 6, 5, 4]
    labels = tuple("abcdefg")
    lines = report_lines(Score("classify", 9, labels, {"top1": 0.0}, {}, {}, confusion, metric="top1"))
    assert lines[-5:] == [f"  {labels[at]}  as {labels[at + 1]}: {9 - at} of {9 - at}" for at in range(5)]
    single = np.array([[0, 1], [0, 0]])
    assert len(report_lines(Score("classify", 1, ("a", "b"), {"top1": 0.0}, {}, {}, single, metric="top1"))) == 1
