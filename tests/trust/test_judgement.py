from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes, Sample
from edgecnn.errors import InputError
from edgecnn.metrics import match_labels
from edgecnn.metrics.classmap import ClassMap, identity
from edgecnn.shown_scores import ShownScores
from edgecnn.trust.judgement import MISSED, Judgement, judge, judged
from edgecnn.types import Classes, Detections, Image, Prediction, Values

Box = tuple[float, float, float, float]
A, B, FAR = (0, 0, 10, 10), (20, 0, 60, 40), (100, 100, 120, 120)


def image() -> Image:
    return np.zeros((4, 4, 3), np.uint8)


def sample(*rows: tuple[Box, int], crowd: list[bool] | None = None, unlabelled: frozenset[int] = frozenset()) -> Sample:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    ids = np.array([row[1] for row in rows], np.int64)
    return Sample(
        "one.jpg", image, boxes=Boxes(boxes, ids, crowd=None if crowd is None else np.array(crowd)), unlabelled=unlabelled
    )


def found(*rows: tuple[Box, int, float]) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([row[2] for row in rows], np.float32), np.array([row[1] for row in rows], np.int64))


def judged_boxes(prediction: Detections, truth: Sample, threshold: float = 0.3) -> Judgement:
    return judge(prediction, truth, identity(3), threshold=threshold)


def test_an_image_is_right_where_the_best_class_is_the_true_one() -> None:
    right = judge(Classes(np.float32([0.2, 0.7, 0.1])), Sample("a", image, label=1), identity(3))
    wrong = judge(Classes(np.float32([0.2, 0.7, 0.1])), Sample("a", image, label=2), identity(3))
    assert (right.truth.tolist(), right.said.tolist(), right.right.tolist()) == ([1], [1], [True])
    assert (wrong.truth.tolist(), wrong.said.tolist(), wrong.right.tolist()) == ([2], [1], [False])
    assert right.score.tolist() == pytest.approx([0.7])
    assert (right.faultless, wrong.faultless) == (True, False)
    assert np.isnan(right.xyxy).all()


def test_the_classes_of_the_model_are_mapped_by_name() -> None:
    classes = match_labels(("dog", "cat", "car"), ("cat", "dog"))
    judgement = judge(Classes(np.float32([0.3, 0.2, 0.9])), Sample("a", image, label=1), classes)
    assert (judgement.said.tolist(), judgement.right.tolist()) == ([1], [True])


def test_scores_that_are_no_numbers_say_nothing() -> None:
    judgement = judge(Classes(np.full(3, np.nan, np.float32)), Sample("a", image, label=0), identity(3))
    assert (judgement.said.tolist(), judgement.right.tolist(), judgement.score.tolist()) == ([MISSED], [False], [0])


def test_each_object_gets_the_detection_that_fits_best() -> None:
    judgement = judged_boxes(found((B, 1, 0.6), (A, 0, 0.9)), sample((A, 0), (B, 1)))
    assert (judgement.said.tolist(), judgement.right.tolist(), judgement.row.tolist()) == ([0, 1], [True, True], [1, 0])
    assert judgement.score.tolist() == pytest.approx([0.9, 0.6])
    assert judgement.faultless


@pytest.mark.parametrize(
    ("box", "class_id", "kind", "instance", "missed"),
    [
        pytest.param((0, 0, 10, 4), 0, "localisation", 0, False, id="overlap below a half"),
        pytest.param(A, 1, "class", 0, False, id="another class at the right place"),
        pytest.param((0, 0, 10, 4), 1, "both", 0, True, id="neither class nor place"),
        pytest.param(FAR, 0, "background", -1, True, id="nothing is there"),
    ],
)
def test_kinds_of_false_positives(box: Box, class_id: int, kind: str, instance: int, missed: bool) -> None:
    judgement = judged_boxes(found((box, class_id, 0.8)), sample((A, 0)))
    assert judgement.extra.kinds == [kind]
    assert judgement.extra.instance.tolist() == [instance]
    assert judgement.missed.tolist() == [missed]
    assert judgement.right.tolist() == [False]
    assert judgement.said.tolist() == [1 if kind == "class" else MISSED]


def test_the_weaker_of_two_boxes_on_one_object_is_a_duplicate() -> None:
    judgement = judged_boxes(found(((0, 0, 10, 9), 0, 0.5), (A, 0, 0.9), ((0, 1, 10, 10), 0, 0.4)), sample((A, 0)))
    assert judgement.extra.kinds == ["duplicate", "duplicate"]
    assert judgement.extra.score.tolist() == pytest.approx([0.5, 0.4])
    assert judgement.row.tolist() == [1]


def test_of_several_wrong_classes_the_best_is_what_was_said() -> None:
    judgement = judged_boxes(found((A, 2, 0.5), (A, 1, 0.8)), sample((A, 0)))
    assert (judgement.said.tolist(), judgement.row.tolist()) == ([1], [1])


def test_ignored_objects_are_no_instances_and_boxes_on_them_no_errors() -> None:
    judgement = judged_boxes(found(((22, 2, 30, 10), 1, 0.9), (B, 0, 0.9)), sample((B, 1), (A, 0), crowd=[True, False]))
    assert (judgement.truth.tolist(), judgement.right.tolist()) == ([0], [False])
    assert judgement.extra.class_id.tolist() == [0]  # a crowd of another class excuses nothing
    assert judgement.extra.kinds == ["background"]


def test_the_place_of_an_error_counts_instances_only() -> None:
    judgement = judged_boxes(found((A, 1, 0.9)), sample((B, 1), (A, 0), crowd=[True, False]))
    assert (judgement.extra.kinds, judgement.extra.instance.tolist()) == (["class"], [0])


def test_classes_without_labels_and_weak_boxes_are_left_out() -> None:
    truth = sample((A, 0), unlabelled=frozenset({2}))
    judgement = judged_boxes(found((FAR, 2, 0.9), (FAR, 1, 0.2), (A, 0, 0.4)), truth)
    assert judgement.faultless
    assert judgement.row.tolist() == [1]  # among those of labelled classes


def test_an_image_without_objects() -> None:
    judgement = judged_boxes(found((A, 0, 0.9)), sample())
    assert (len(judgement), judgement.extra.kinds) == (0, ["background"])
    assert judged_boxes(Detections.empty(), sample()).faultless


def test_rotated_boxes_are_matched_as_rotated() -> None:
    corners = np.float32([[[0, 0], [10, 0], [10, 2], [0, 2]]])
    boxes = Boxes(np.float32([[0, 0, 10, 2]]), np.array([0]), corners=corners)
    turned = Detections(np.float32([[0, -4, 10, 6]]), np.float32([0.9]), np.array([0]), xywhr=np.float32([[5, 1, 10, 2, 0]]))
    assert judge(turned, Sample("a", image, boxes=boxes), identity(1)).right.tolist() == [True]


def test_an_unreadable_image_has_no_judgement() -> None:
    def broken() -> Image:
        raise InputError("b.jpg is no image", "replace it")

    def predict(_: Image) -> Prediction:
        return Classes(np.float32([1, 0]))

    first, second = judged(predict, [Sample("a", image, label=0), Sample("b", broken, label=0)], identity(2))
    assert first.judgement is not None
    assert first.judgement.faultless
    assert second.judgement is None
    assert isinstance(second.outcome, InputError)


def test_other_tasks_and_missing_labels_are_refused() -> None:
    with pytest.raises(InputError, match=r"needs a model that names classes .* but the model is a regression model"):
        judge(Values(np.float32([1])), Sample("a", image, value=1.0), identity(1))
    with pytest.raises(InputError, match="a has no boxes to compare with, but the model is a detector"):
        judge(found((A, 0, 0.9)), Sample("a", image, label=0), identity(1))


def test_boxes_count_from_the_score_of_their_class_in_the_model() -> None:
    # classes 0 and 1 of the model are both class 0 of the dataset, class 2 is unknown there
    classes = ClassMap(np.array([0, 0, -1, 1]), 2, shown=ShownScores(0.3, {0: 0.6, 3: 0.1}))
    prediction = found((A, 0, 0.5), (A, 1, 0.4), (B, 2, 0.9), (B, 3, 0.15), (FAR, 3, 0.05))
    judgement = judge(prediction, sample((A, 0), (B, 1)), classes)
    assert (judgement.right.tolist(), judgement.score.tolist()) == ([True, True], pytest.approx([0.4, 0.15]))
    assert (judgement.row.tolist(), len(judgement.extra)) == ([1, 2], 0)
    assert judge(prediction, sample((A, 0), (B, 1)), classes, threshold=0.3).right.tolist() == [True, False]
    assert classes.shown_of_dataset == ShownScores(0.3, {0: 0.3, 1: 0.1})
