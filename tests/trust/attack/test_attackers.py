from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.data import Boxes, Sample
from edgecnn.metrics import match_labels
from edgecnn.metrics.classmap import identity
from edgecnn.trust.attack.attackers import NoiseControl
from edgecnn.trust.attack.square import SquareAttack, margin_of, search, share
from edgecnn.trust.attack.target import AttackTarget, target_of, to_bgr
from edgecnn.types import Classes, Detections, Image, Prediction
from tests.trust.attack.networks import card

WHOLE = np.ones((8, 8, 1), bool)


def target(value: int = 120, label: int = 1) -> AttackTarget:
    pixels = np.full((8, 8, 1), value, np.uint8)
    return AttackTarget(
        0, pixels, np.eye(2, dtype=bool)[[label]], np.zeros((0, 4), np.float32), Sample("a", lambda: pixels), WHOLE
    )


def test_noise_changes_each_value_by_the_strength_and_is_repeatable() -> None:
    noisy = NoiseControl(3)([target(), target(255)], 8)
    assert set((noisy[0].astype(int) - 120).ravel().tolist()) == {-8, 8}
    assert set(noisy[1].ravel().tolist()) == {247, 255}
    assert np.array_equal(noisy[0], NoiseControl(3)([target()], 8)[0])
    assert not np.array_equal(noisy[0], NoiseControl(4)([target()], 8)[0])


def test_the_model_gets_the_attacked_pixels_back() -> None:
    random = np.random.default_rng(0)
    for color, channels in (("gray", 1), ("rgb", 3), ("bgr", 3)):
        preprocess = Preprocess(size=(8, 6), color=color, mean=(0.0,), std=(1.0,), resize="letterbox")  # type: ignore[arg-type]
        pixels = random.integers(0, 256, (8, 6, channels), np.uint8)
        read = to_bgr(pixels)
        again = target_of(0, Sample("a", lambda read=read: read, label=0), card(preprocess), identity(2))  # type: ignore[misc]
        assert np.array_equal(again.pixels, pixels)


def test_boxes_move_to_the_input_and_classes_to_those_of_the_model() -> None:
    preprocess = Preprocess(size=(50, 100), color="rgb", mean=(0.0,), std=(1.0,), resize="letterbox")
    boxes = Boxes(
        np.float32([[20, 20, 60, 60], [0, 0, 9, 9], [0, 0, 9, 9]]), np.int64([0, 1, 2]), crowd=np.array([False, True, False])
    )
    sample = Sample("a", lambda: np.zeros((100, 100, 3), np.uint8), boxes=boxes)
    found = target_of(0, sample, card(preprocess, "detect", ("cat", "dog")), match_labels(("cat", "dog"), ("dog", "cat", "cow")))
    assert found.xyxy[0].tolist() == [35, 10, 55, 30]
    # the dataset's class 0 is the model's class 1; the crowd is left out; the cow has no class in the model
    assert found.own.tolist() == [[False, True], [False, False]]
    assert found.sample.read().shape == (50, 100, 3)


def test_the_bars_of_a_letterbox_are_not_attacked() -> None:
    preprocess = Preprocess(size=(8, 8), color="gray", mean=(0.0,), std=(1.0,), resize="letterbox")
    sample = Sample("a", lambda: np.full((4, 8, 3), 100, np.uint8), label=1)
    own = target_of(0, sample, card(preprocess), identity(2))

    def predict(image: Image) -> Prediction:
        return Classes(np.float32([0.1, 0.9]))

    for attack in (NoiseControl(0), SquareAttack(predict, 20, 0)):
        (found,) = attack([own], 8)
        changed = found != own.pixels
        assert changed[2:6].all()
        assert not changed[:2].any()
        assert not changed[6:].any()


def test_the_square_attack_lowers_the_margin_within_the_strength_until_it_is_wrong() -> None:
    pixels = np.full((8, 8, 3), 100, np.uint8)
    asked = []

    def margin(image: Image) -> float:
        asked.append(1)
        # wrong as soon as the left half is 4 darker on average than the right half
        return float(image[:, :4].mean() - image[:, 4:].mean()) + 4

    found, lowest = search(margin, pixels, np.full((8, 8, 1), 8, np.int16), 400, np.random.default_rng(0))
    assert lowest < 0
    assert len(asked) < 400
    assert np.abs(found.astype(int) - 100).max() == 8
    assert lowest == pytest.approx(margin(found))


def test_squares_shrink_to_the_end_of_the_schedule() -> None:
    sides = [share(step, 200) for step in range(1, 200)]
    assert sides[0] == pytest.approx(0.4)
    assert sides == sorted(sides, reverse=True)
    assert sides[-1] == pytest.approx(0.8 / 2**9)


def test_the_margin_of_classes_is_the_difference_of_their_logits() -> None:
    scores = np.exp(np.float32([1.0, 3.0]))
    found = margin_of(Classes(scores / scores.sum()), target(label=1))
    assert found == pytest.approx(2.0, abs=1e-5)
    assert margin_of(Classes(np.float32([0.6, 0.4])), target(label=1)) < 0
    # a saturated softmax still tells how far it is
    assert 0 < margin_of(Classes(np.float32([1e-30, 1.0])), target(label=1)) < 80


def test_the_margin_of_boxes_is_what_is_still_found() -> None:
    def found(*rows: tuple[list[float], int, float]) -> Detections:
        boxes, ids, scores = zip(*rows, strict=True)
        return Detections(np.float32(boxes), np.float32(scores), np.int64(ids))

    box = [10.0, 10.0, 30.0, 30.0]
    own = AttackTarget(0, np.zeros((40, 40, 3), np.uint8), np.array([[True, False]]), np.float32([box]), target().sample, WHOLE)
    assert margin_of(found((box, 0, 0.9), (box, 0, 0.4)), own) == pytest.approx(0.9)
    assert margin_of(found((box, 1, 0.9)), own) == -1
    assert margin_of(found(([100.0, 100.0, 120.0, 120.0], 0, 0.9)), own) == -1
    assert margin_of(Detections.empty(), own) == -1


def test_an_image_that_a_weak_attack_made_wrong_stays_wrong_and_asks_no_more() -> None:
    asked: list[int] = []

    def predict(image: Image) -> Prediction:
        asked.append(1)
        score = np.float32(0.5 + (image.mean() - 120) / 20)
        return Classes(np.float32([1 - score, score]))

    attack = SquareAttack(predict, 100, 0)
    dark = attack([target(121)], 2)[0]
    assert dark.mean() < 120
    count = len(asked)
    assert np.array_equal(attack([target(121)], 4)[0], dark)
    assert len(asked) == count
