"""Images are known again by their content, from a few bits in the card."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.content_hash import WHOLE, content_hash, is_blank
from edgecnn.reference_profile.seen_images import (
    MOST,
    MOST_RECORDS,
    SEEN_KEY,
    SeenImages,
    earlier_records,
    seen_images,
    seen_record,
)

CARD = ModelCard(name="m", task="classify", labels=("a",), preprocess=Preprocess((8, 8)), decode=Decode("softmax"))


def hashes(count: int, seed: int = 0) -> list[int]:
    draw = random.Random(seed)
    return [draw.getrandbits(64) for _ in range(count)]


def picture(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize("side", [28, 200])
def test_a_copy_without_loss_is_the_same_and_one_value_makes_another(side: int, tmp_path: Path) -> None:
    image = picture(side)
    assert (image.nbytes > WHOLE) == (side == 200)
    for name in ("copy.png", "copy.bmp"):
        cv2.imwrite(str(tmp_path / name), image)
        assert content_hash(cv2.imread(str(tmp_path / name))) == content_hash(image)
    assert content_hash(np.asfortranarray(image)) == content_hash(image)
    changed = image.copy()
    changed[side // 2, side // 3, 1] ^= 1
    moved = np.roll(image, 1, axis=1)
    flipped = image[::-1]
    assert len({content_hash(one) for one in (image, changed, moved, flipped)}) == 4


def test_the_hash_is_the_same_on_every_machine() -> None:
    """Cards that were written keep their meaning: a change of this number makes all of them useless."""
    image = np.arange(28 * 28 * 3, dtype=np.uint32).reshape(28, 28, 3).astype(np.uint8)
    large = np.tile(image, (8, 8, 1))
    assert (content_hash(image), content_hash(large)) == (6748592644990833017, 16765952243582510588)


def test_only_images_of_one_colour_are_blank() -> None:
    assert is_blank(np.full((4, 5, 3), 7, np.uint8))
    assert not is_blank(picture(4))
    assert is_blank(np.tile(np.uint8([1, 2, 3]), (4, 5, 1)))


@pytest.mark.parametrize("count", [1, 2, 300])
def test_a_card_keeps_what_was_seen(count: int) -> None:
    own = hashes(count)
    card = CARD.replace(training=seen_record("training", "photos", own))
    (found,) = seen_images(ModelCard.from_json(card.to_json()), "it")
    assert (found.part, found.data, found.images, found.every) == ("training", "photos", count, 1)
    assert all(map(found.holds, own))
    assert not any(map(found.holds, hashes(20_000, seed=1)))


def test_a_large_set_stays_small_and_is_compared_by_a_part_of_its_images() -> None:
    own = hashes(60_000)
    record = seen_record("training", "many", own)
    assert len(dump_json(record)) < 100_000
    found = SeenImages.from_record("training", json.loads(dump_json(record))[SEEN_KEY][0], "it")
    compared = [one for one in own if found.compares(one)]
    assert found.every == 3
    assert 0.8 * MOST < len(compared) < MOST
    assert all(map(found.holds, compared))
    assert not any(found.holds(one) for one in own if not found.compares(one))
    assert sum(map(found.holds, hashes(50_000, seed=1))) <= 1  # one in a million of those compared


def test_a_network_trained_further_keeps_the_images_of_the_first_training() -> None:
    first = CARD.replace(training=seen_record("training", "first", hashes(5)))
    both = seen_record("training", "second", hashes(7, 1), earlier_records([first]))
    again = seen_record("training", "second", hashes(7, 1), both[SEEN_KEY])
    assert again == both
    found = seen_images(CARD.replace(training=both), "it")
    assert [one.data for one in found] == ["second", "first"]
    many = seen_record("training", "new", hashes(3, 2), [{"dataset": str(number)} for number in range(9)])
    assert len(many[SEEN_KEY]) == MOST_RECORDS


def test_cards_without_a_record_or_with_one_of_a_later_version_are_read() -> None:
    assert seen_images(CARD, "it") == ()
    assert seen_record("training", "none", []) == {}
    later = {"version": 2, "something": "else"}
    assert seen_images(CARD.replace(training={SEEN_KEY: [later]}), "it") == ()


@pytest.mark.parametrize("change", [{"codes": "?"}, {"codes": "AAAA"}, {"bits": 65}, {"images": -1}, {"every": 0}])
def test_a_damaged_record_is_named(change: dict[str, Any]) -> None:
    record = seen_record("calibration", "photos", hashes(9))[SEEN_KEY][0]
    card = CARD.replace(calibration={SEEN_KEY: [record | change]})
    with pytest.raises(ArtifactError, match=r"the record of the calibration images in a\.onnx can't be used"):
        seen_images(card, "a.onnx")
