from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.labels import rename
from edgecnn.metrics.classmap import identity, match_labels
from edgecnn.types import Classes, Detections


def found(*class_ids: int) -> Detections:
    n = len(class_ids)
    return Detections(np.zeros((n, 4), np.float32), np.arange(n, dtype=np.float32), np.array(class_ids, np.int64))


def test_names_match_however_they_are_written() -> None:
    mapping = match_labels(("Traffic_Light", "person", "DOG"), ("dog", "traffic light"))
    kept = mapping.detections(found(0, 1, 2))
    assert kept.class_id.tolist() == [1, 0]
    assert kept.score.tolist() == [0, 2]


def test_a_sofa_is_a_couch() -> None:
    assert match_labels(("sofa", "tvmonitor"), ("tv", "couch")).detections(found(0, 1)).class_id.tolist() == [1, 0]


def test_what_only_one_side_has_is_noted() -> None:
    notes = match_labels(("cat", "zebra"), ("cat", "cow")).notes
    assert notes == (
        "the model lacks 1 of the dataset's 2 classes, they score 0: cow",
        "1 of the model's 2 classes are not in the dataset, they are ignored: zebra",
    )


def test_several_classes_of_the_model_may_be_one_of_the_dataset() -> None:
    mapping = match_labels(("face", "face", "hat"), ("face",))
    assert mapping.detections(found(1, 0, 2)).class_id.tolist() == [0, 0]
    assert mapping.scores(Classes(np.float32([0.2, 0.5, 0.3]))).tolist() == [0.5]


def test_scores_of_a_class_that_the_model_lacks_are_minus_infinity() -> None:
    scores = match_labels(("b", "a"), ("a", "b", "c")).scores(Classes(np.float32([0.2, np.nan])))
    assert scores.tolist() == [-np.inf, np.float32(0.2), -np.inf]


@pytest.mark.parametrize(
    "model",
    [pytest.param(("0", "1"), id="numbers"), pytest.param(("class_0", "class_1"), id="class_n"), pytest.param((), id="none")],
)
def test_a_model_without_names_is_matched_by_position(model: tuple[str, ...]) -> None:
    mapping = match_labels(model, ("cat", "dog"))
    assert mapping.detections(found(0, 1)).class_id.tolist() == [0, 1]
    assert "by position" in mapping.notes[0]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        pytest.param(("face",), ("mask",), id="other names"),
        pytest.param(("0", "1", "2"), ("cat", "dog"), id="numbers, but not as many"),
    ],
)
def test_no_name_in_common_shows_both(model: tuple[str, ...], data: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"\?rename=a:b") as caught:
        match_labels(model, data)
    assert model[0] in str(caught.value)
    assert data[0] in str(caught.value)


def test_long_lists_are_cut() -> None:
    with pytest.raises(InputError, match=r"the model has n0, .*n7, \.\.\. \(80 in all\); the dataset has x;"):
        match_labels([f"n{index}" for index in range(80)], ["x"])


def test_more_classes_than_names_is_refused() -> None:
    with pytest.raises(InputError, match="the model has 3 classes, but 2 class names; correct the names with --labels"):
        identity(2).detections(found(2))
    with pytest.raises(InputError, match="the model has 3 classes, but 2 class names"):
        identity(2).scores(Classes(np.float32([0, 0, 1])))


def test_no_detections_are_no_detections() -> None:
    assert len(identity(2).detections(Detections.empty())) == 0


def test_rename() -> None:
    assert rename(("With_Mask", "other"), {"with mask": "face"}) == ("face", "other")
