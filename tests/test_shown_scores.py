"""From which score an object is shown: by class, by card, by the user."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.shown_scores import ShownScores, decoding_all_shown, shown_scores, with_class_thresholds
from edgecnn.types import Detections, Poses

LABELS = ("person", "face", "Face", "vehicle")


def card(task: str = "detect", **options: object) -> ModelCard:
    return ModelCard(name="a", task=task, labels=LABELS, preprocess=Preprocess((32, 32)), decode=Decode("fcos", options))  # type: ignore[arg-type]


def boxes(*rows: tuple[int, float]) -> Detections:
    ids, scores = zip(*rows, strict=True)
    return Detections(np.zeros((len(rows), 4), np.float32), np.float32(scores), np.int64(ids))


def test_a_class_has_its_own_score_and_the_others_the_usual_one() -> None:
    shown = ShownScores(0.3, {0: 0.4, 1: 0.25})
    found = boxes((0, 0.4), (0, 0.39), (1, 0.25), (1, 0.24), (3, 0.3), (3, 0.29))
    assert shown.passes(found).tolist() == [True, False] * 3
    assert shown.keep(found).class_id.tolist() == [0, 1, 3]
    assert (shown.lowest, shown.highest, shown.one(0), shown.one(3)) == (0.25, 0.4, 0.4, 0.3)
    assert ShownScores(0.35).passes(found).tolist() == [True, True, False, False, False, False]
    assert shown.passes(found[:0]).tolist() == []


def test_poses_have_no_class() -> None:
    poses = Poses(np.zeros((2, 4, 3), np.float32), np.float32([0.35, 0.2]), np.zeros((2, 4), np.float32))
    assert ShownScores(0.3, {0: 0.9}).keep(poses).score.tolist() == pytest.approx([0.35])


def test_a_card_holds_them_by_name() -> None:
    own = with_class_thresholds(card(score_threshold=0.05), [("PERSON", 0.4), ("Face", 0.2)])
    assert own.decode.options == {"score_threshold": 0.05, "class_thresholds": {"person": 0.4, "Face": 0.2}}
    assert shown_scores(own) == ShownScores(0.3, {0: 0.4, 2: 0.2})
    assert shown_scores(own, 0.5).words(LABELS) == "person 0.4, Face 0.2, others 0.5"
    assert shown_scores(card()).words(LABELS) == ""
    more = with_class_thresholds(own, [("vehicle", 0.6), ("person", 0.5)])
    assert more.decode.options["class_thresholds"] == {"person": 0.5, "Face": 0.2, "vehicle": 0.6}
    assert with_class_thresholds(more, None) is more
    assert with_class_thresholds(more, ()).decode.options == {"score_threshold": 0.05}
    assert ModelCard.from_json(more.to_json()) == more


def test_what_does_not_fit_the_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--class-thresholds: the model has no class dog; choose from person, face, "):
        with_class_thresholds(card(), [("dog", 0.4)])
    with pytest.raises(InputError, match="needs a detector, but the task of the model is pose"):
        with_class_thresholds(card("pose"), [("person", 0.4)])
    assert shown_scores(card("pose", class_thresholds={"person": 0.9})) == ShownScores()


def test_the_decoder_keeps_all_that_is_shown() -> None:
    own = card(score_threshold=0.3, class_thresholds={"face": 0.2, "person": 0.4})
    assert decoding_all_shown(own).decode.options["score_threshold"] == 0.2
    for other in (card(score_threshold=0.1, class_thresholds={"face": 0.2}), card(score_threshold=0.3), card()):
        assert decoding_all_shown(other) is other
