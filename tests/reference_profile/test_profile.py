"""Profiles: positions in a distribution, what is written into a card, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.collect import ProfileCollector, evenly
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.reference_profile.measure_range import FARTHEST, MeasureRange
from edgecnn.reference_profile.profile import PROFILE_KEY, ReferenceProfile, profile_of
from edgecnn.types import Detections, Embedding, Prediction


def boxes(count: int, score: float = 0.8, class_id: int = 0) -> Detections:
    xyxy = np.float32([[5 * index, 5, 5 * index + 20, 30] for index in range(count)]).reshape(-1, 4)
    return Detections(xyxy, np.full(count, score, np.float32), np.full(count, class_id, np.int64))


def made(predictions: list[Prediction], seed: int = 0) -> ReferenceProfile:
    random, found = np.random.default_rng(seed), ProfileCollector()
    for prediction in predictions:
        found.add(random.integers(0, 200, (24, 32, 3)).astype(np.uint8), prediction)
    return found.profile("training", "set")


def test_a_position_is_that_in_a_normal_distribution() -> None:
    measure = MeasureRange.of("contrast", np.random.default_rng(0).normal(100, 20, 4000).tolist())
    for deviations in (-2, -1, 0, 1, 2):
        assert measure.position(100 + 20 * deviations) == pytest.approx(deviations, abs=0.15)
    far = [measure.position(value) for value in (150, 180, 200, 220, 240)]
    assert far == sorted(far)
    assert measure.position(1e9) == FARTHEST
    assert measure.position(-1e9) == -FARTHEST


def test_a_change_too_small_to_matter_is_no_deviation() -> None:
    measure = MeasureRange.of("brightness", [100.0, 100.1, 100.2] * 50)
    assert abs(measure.position(102.0)) < 0.5
    assert measure.position(140.0) == FARTHEST


def test_counts_are_in_the_middle_of_equal_ones() -> None:
    measure = MeasureRange.of("boxes", [1.0] * 25 + [2.0] * 50 + [3.0] * 25)
    assert measure.position(2) == pytest.approx(0, abs=0.01)
    assert measure.position(1) == pytest.approx(-measure.position(3), abs=0.01)


def test_a_profile_is_the_same_after_a_card() -> None:
    profile = made([boxes(count % 4, class_id=count % 3) for count in range(40)])
    card = ModelCard(name="m", task="detect", labels=("a", "b", "c"), preprocess=Preprocess((32, 32)), decode=Decode("fcos"))
    stored = card.replace(training={PROFILE_KEY: profile.to_record()}).to_json()
    again = profile_of(ModelCard.from_json(stored), "it")
    assert again is not None
    assert again.to_record() == json.loads(dump_json(profile.to_record()))
    assert profile_of(card, "it") is None
    assert len(stored) < 8000


def test_the_profile_of_training_comes_before_that_of_calibration() -> None:
    card = ModelCard(name="m", task="detect", labels=("a",), preprocess=Preprocess((32, 32)), decode=Decode("fcos"))
    first, second = (made([boxes(1)] * 30, seed).to_record() for seed in (1, 2))
    found = profile_of(card.replace(training={PROFILE_KEY: first}, calibration={PROFILE_KEY: second}), "it")
    assert found is not None
    assert found.digest == first["digest"] != second["digest"]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("version", 2, "version is 2"),
        ("measures", {}, "measures has 0 entries"),
        ("measures", {"brightness": {"n": 5, "quantiles": [3.0, *[2.0] * 26]}}, "the quantiles of brightness"),
        ("classes", {"mug": 0.5}, "classes.mug is no number of a class"),
        ("layout", [0.0], "layout has 1 items"),
    ],
)
def test_a_broken_profile_is_named(key: str, value: object, problem: str) -> None:
    record = made([boxes(1)] * 30).to_record()
    with pytest.raises(ArtifactError, match=rf"the reference profile in m.onnx can't be used \({problem}"):
        ReferenceProfile.from_record({**record, key: value}, "m.onnx")


def test_weak_boxes_are_not_counted() -> None:
    profile = made([boxes(2)] * 30)
    image = measure_image(np.zeros((24, 32, 3), np.uint8))
    assert profile.describe(image, boxes(3, score=0.2), 768).values["boxes"] == 0
    assert "score" not in profile.describe(image, boxes(3, score=0.2), 768).values


def test_rare_classes_and_strange_embeddings_are_far() -> None:
    image = measure_image(np.zeros((24, 32, 3), np.uint8))
    profile = made([boxes(1, class_id=0)] * 39 + [boxes(1, class_id=1)])
    common, rare, unseen = (profile.describe(image, boxes(2, class_id=one), 768).values["classes"] for one in (0, 1, 7))
    assert common < rare < unseen
    vectors = np.random.default_rng(3).normal([1, 0, 0, 0], 0.1, (40, 4)).astype(np.float32)
    embeddings = made([Embedding(vector / np.linalg.norm(vector)) for vector in vectors])
    values = [
        embeddings.describe(image, Embedding(np.float32(one)), 768).values["embedding"] for one in ([1, 0, 0, 0], [0, 1, 0, 0])
    ]
    assert values[0] < 0.05
    assert values[1] > 0.8


def test_places_are_spread_evenly() -> None:
    assert list(evenly(5, 10)) == [0, 1, 2, 3, 4]
    assert list(evenly(101, 3)) == [0, 50, 100]


def test_a_dark_picture_is_far_from_a_reference_that_reaches_down_to_dusk() -> None:
    """Grey levels end at 0, so the distance is that in stops: from 17 to 5 is nearly two."""
    values = np.linspace(17, 200, 500).tolist()
    dark, other = MeasureRange.of("brightness", values), MeasureRange.of("boxes", values)
    assert dark.position(5) < -4
    assert -3.5 < other.position(5) < -3
    assert dark.position(17) > -3.2
    assert dark.position(100) == pytest.approx(other.position(100))
