"""Details of an evaluation against counts by hand, and against other programs' definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.metrics.classmap import identity
from edgecnn.tasks.evaluate import score_outcomes
from edgecnn.trust.accuracy.boxes import BoxCollector, BoxDetail
from edgecnn.trust.accuracy.error_cost import COSTS
from edgecnn.trust.accuracy.labels import LabelCollector, LabelDetail, adaptive_error, reliability
from edgecnn.trust.accuracy.values import value_detail
from edgecnn.trust.judgement import judge
from edgecnn.types import Classes, Detections, Image, Values

LABELS = ("a", "b", "c")


def image() -> Image:
    return np.zeros((4, 4, 3), np.uint8)


def collected(dataset: Dataset, found: list[Any], collector: Any) -> Any:
    classes = identity(len(dataset.labels))
    for index, (sample, prediction) in enumerate(zip(dataset.samples, found, strict=True)):
        collector.add(judge(prediction, sample, classes, threshold=0.0), index)
    return score_outcomes(zip(dataset.samples, found, strict=True), dataset)


def classified(rows: list[tuple[int, int, float]]) -> tuple[LabelDetail, Any]:
    """Rows of true class, class said and its score; the other classes share the rest."""
    dataset = Dataset("d", "classify", LABELS, [Sample(f"{at}.png", image, label=row[0]) for at, row in enumerate(rows)])
    scores = [np.full(3, (1 - sure) / 2, np.float32) for _, _, sure in rows]
    for score, (_, said, sure) in zip(scores, rows, strict=True):
        score[said] = sure
    collector = LabelCollector()
    score = collected(dataset, [Classes(one) for one in scores], collector)
    return collector.detail(score, dataset, 0), score


def test_precision_recall_and_f1_by_hand() -> None:
    detail, score = classified([(0, 0, 0.9), (0, 0, 0.8), (0, 1, 0.6), (1, 1, 0.7), (2, 1, 0.95), (2, 1, 0.5)])
    by_class = {label: [one.value for one in own.values()] for label, own in detail.classes.items()}
    assert by_class["a"] == pytest.approx([1, 2 / 3, 0.8])
    assert by_class["b"] == pytest.approx([1 / 4, 1, 0.4])
    assert by_class["c"] == [0, 0, 0]
    assert detail.figures["balanced_accuracy"].value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert detail.figures["f1"].value == pytest.approx(0.4)
    assert detail.figures["ece"].value == pytest.approx(score.values["ece"])
    assert detail.never == ("c",)
    assert "never predicted, though there are images of it: c" in detail.notes
    assert [(one.truth, one.said, one.count, one.total) for one in detail.confused] == [("c", "b", 2, 2), ("a", "b", 1, 3)]
    assert detail.confused[0].names == ("4.png", "5.png")  # the most certain first


def test_the_interval_of_recall_is_as_wide_as_the_binomial_one() -> None:
    rows = [(0, 0 if at < 70 else 1, 0.8) for at in range(100)] + [(1, 1, 0.8)] * 100
    own = classified(rows)[0].classes["a"]["recall"]
    assert own.interval is not None
    assert own.interval.low < 0.7 < own.interval.high
    assert own.width == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 100) ** 0.5, rel=0.2)
    assert classified(rows)[0].to_dict() == classified(rows)[0].to_dict()  # the resamples are the same each time


def test_a_set_that_is_too_small_says_so() -> None:
    detail, _ = classified([(0, 0, 0.9), (0, 1, 0.9), (1, 1, 0.9)] * 3)
    assert any(note.startswith("too few images: balanced accuracy has an interval of") for note in detail.notes)
    assert any("too few images to judge 2 of 2 classes" in note for note in detail.notes)
    large, _ = classified([(0, 0, 0.9), (1, 1, 0.9), (2, 2, 0.9)] * 200)
    assert large.notes == ()


def test_one_image_has_no_interval() -> None:
    detail, _ = classified([(0, 0, 0.9)])
    assert detail.figures["balanced_accuracy"].interval is None
    assert "too few images: balanced accuracy has no interval" in detail.notes


def test_bins_of_reliability_and_of_equal_size() -> None:
    score, right = np.array([0.95, 0.96, 0.55, 0.31]), np.array([True, False, True, False])
    bins = reliability(score, right, 10)
    assert [(one.low, one.count, one.accuracy.value) for one in bins] == [(0.3, 1, 0), (0.5, 1, 1), (0.9, 2, 0.5)]
    assert bins[2].score == pytest.approx(0.955)
    # two bins of two images: 0.31 and 0.55 with one right, 0.95 and 0.96 with one right
    assert adaptive_error(score, right, 2) == pytest.approx((abs(0.86 - 1) + abs(1.91 - 1)) / 4)


def boxes(*rows: tuple[float, ...]) -> Boxes:
    table = np.float32(rows).reshape(-1, 5)
    return Boxes(table[:, :4], table[:, 4].astype(np.int64))


def found(*rows: tuple[float, ...]) -> Detections:
    table = np.float32(rows).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 5], table[:, 4].astype(np.int64))


def detected(*images: tuple[Boxes, Detections]) -> BoxDetail:
    samples = [Sample(f"{at}.png", image, boxes=truth) for at, (truth, _) in enumerate(images)]
    dataset = Dataset("d", "detect", LABELS, samples)
    collector = BoxCollector()
    score = collected(dataset, [one for _, one in images], collector)
    return collector.detail(score, 0)


ONE = (0, 0, 100, 100)
FAR = (300, 300, 340, 340)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        pytest.param((*ONE, 1, 0.9), "class", id="class"),
        pytest.param((0, 0, 100, 40, 0, 0.9), "localisation", id="place"),
        pytest.param((0, 0, 100, 40, 1, 0.9), "both", id="class and place"),
        pytest.param((*FAR, 0, 0.9), "background", id="nothing there"),
    ],
)
def test_a_kind_of_error_costs_what_its_mending_gains(wrong: tuple[float, ...], kind: str) -> None:
    """The second image has objects of both classes, all right, with lower scores than the error in the first one."""
    right = (boxes((*ONE, 0), (*FAR, 1)), found((*ONE, 0, 0.5), (*FAR, 1, 0.5)))
    detail = detected((boxes((*ONE, 0)), found(wrong)), right)
    costs = {one.kind: one for one in detail.errors}
    assert tuple(costs) == COSTS
    assert {name for name, one in costs.items() if one.count and name in COSTS[:5]} == {kind}
    mended = {"class": (*ONE, 0, 0.9), "localisation": (*ONE, 0, 0.9)}.get(kind)
    after = detected((boxes((*ONE, 0)), found(mended) if mended else found()), right)
    gain = after.figures["ap50"].value - detail.figures["ap50"].value
    assert gain > 0
    assert costs[kind].cost.value == pytest.approx(gain)
    assert costs["missed"].count == (0 if mended else 1)


def test_duplicates_and_missed_objects() -> None:
    detail = detected(
        (boxes((*ONE, 0)), found((*ONE, 0, 0.9), (*ONE, 0, 0.8))), (boxes((*ONE, 0), (*FAR, 0)), found((*ONE, 0, 0.7)))
    )
    costs = {one.kind: one for one in detail.errors}
    assert (costs["duplicate"].count, costs["missed"].count, costs["all false boxes"].count) == (1, 1, 1)
    recall = 67 / 101  # levels up to 2 of 3 objects
    assert detail.figures["ap50"].value == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert costs["duplicate"].cost.value == pytest.approx(recall - (34 + 33 * 2 / 3) / 101)
    assert costs["missed"].cost.value == pytest.approx((51 + 50 * 2 / 3) / 101 - (34 + 33 * 2 / 3) / 101)


def test_an_object_is_mended_once() -> None:
    """Two boxes of the wrong class on one object: the better is mended, the other is taken away."""
    detail = detected(
        (boxes((*ONE, 0)), found((*ONE, 1, 0.9), (*ONE, 2, 0.8))),
        (boxes((*ONE, 0), (*FAR, 1), (150, 0, 250, 100, 2)), found((*ONE, 0, 0.5), (*FAR, 1, 0.5), (150, 0, 250, 100, 2, 0.5))),
    )
    costs = {one.kind: one for one in detail.errors}
    assert costs["class"].count == 2
    assert detail.figures["ap50"].value + costs["class"].cost.value == pytest.approx(1)


def test_curves_and_the_working_point() -> None:
    detail = detected((boxes((*ONE, 0), (*FAR, 0)), found((*ONE, 0, 0.9), (*FAR, 0, 0.2), (500, 500, 520, 520, 0, 0.1))))
    assert detail.curves["a"].precision == (1.0,) * 101
    assert (detail.curves["a"].f1, detail.curves["a"].score) == (pytest.approx(1), pytest.approx(0.2))
    assert (detail.working["a"].precision.value, detail.working["a"].recall.value) == (1, 0.5)  # from a score of 0.3 on


def test_sizes_have_intervals() -> None:
    image_of = (boxes((0, 0, 20, 20, 0), (100, 100, 150, 150, 0)), found((0, 0, 20, 20, 0, 0.9), (100, 100, 150, 150, 0, 0.8)))
    empty = (image_of[0], found())
    detail = detected(*[image_of] * 20, *[empty] * 20)
    recall, working = detail.figures["ar"], detail.working["a"]
    assert recall.value == working.recall.value == pytest.approx(0.5)
    assert working.precision.value == 1
    for one in (recall, working.recall):
        assert one.interval is not None
        assert one.interval.low < 0.5 < one.interval.high
    assert detail.to_dict()["resamples"] == 200
    small = detail.figures["ap_small"]
    assert small.value == pytest.approx(51 / 101)
    assert small.interval is not None
    assert small.interval.low < small.value < small.interval.high
    assert "ap_large" not in detail.figures


def test_values_have_intervals() -> None:
    truth = np.linspace(0, 10, 200)
    found = truth + np.random.default_rng(0).normal(0, 1, 200)
    samples = [Sample(f"{at}", image, value=float(value)) for at, value in enumerate(truth)]
    dataset = Dataset("d", "regress", ("level",), samples)
    score = score_outcomes(((one, Values(np.float32([value]))) for one, value in zip(samples, found, strict=True)), dataset)
    detail = value_detail(score, 0)
    mae = detail.figures["mae"]
    assert mae.interval is not None
    assert mae.interval.low < mae.value < mae.interval.high
    assert mae.width == pytest.approx(2 * 1.96 * np.abs(found - truth).std() / 200**0.5, rel=0.25)
    assert detail.notes == ()
