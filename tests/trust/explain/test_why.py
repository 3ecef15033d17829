from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edgecnn.trust.explain.why.answer import Asked, Said
from edgecnn.trust.explain.why.covering import covered, smallest_cover
from edgecnn.trust.explain.why.places import nearest_place, place_of
from edgecnn.trust.explain.why.smallest_change import SmallestChange, smallest_changes
from edgecnn.types import Classes, Detections, Image, Prediction

SIDE = 64
LABELS = ("dark", "bright")
WHOLE = (0, 0, SIDE, SIDE)


def classified(*logits: float) -> list[Prediction]:
    return [Classes(np.float32([1 / (1 + np.exp(one)), 1 / (1 + np.exp(-one))])) for one in logits]


def patch_is_bright(images: Image) -> list[Prediction]:
    """Class 1 where the mean of rows 8 to 15, columns 40 to 47 is above 128."""
    return classified(*((image[8:16, 40:48].mean() - 128) / 20 for image in images))


def mean_is_bright(images: Image) -> list[Prediction]:
    return classified(*((image.mean() - 60) / 20 for image in images))


def spot_detector(images: Image) -> list[Prediction]:
    """A box around the bright pixels, with their share of it as its score; a cup, or a bowl where there are few."""
    found: list[Prediction] = []
    for image in images:
        rows, columns = np.nonzero(image[..., 0] > 150)
        if not len(rows):
            found.append(Detections.empty())
            continue
        box = np.float32([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
        score = np.float32([len(rows) / (box[0, 2:] - box[0, :2]).prod()])
        found.append(Detections(box, score, np.int64([0])))
    return found


def asked(model: object) -> tuple[Asked, list[int]]:
    counted: list[int] = []

    def many(images: Image) -> list[Prediction]:
        counted.append(len(images))
        return model(images)  # type: ignore[operator, no-any-return]

    return Asked(many, LABELS), counted


def first(question: Asked, image: Image) -> Said:
    said = question.first(image)
    assert said is not None
    return said


def by_name(changes: Sequence[SmallestChange]) -> dict[str, SmallestChange]:
    return {one.name: one for one in changes}


def test_the_answer_has_a_second_class_and_a_margin() -> None:
    question, _ = asked(patch_is_bright)
    said = first(question, np.full((SIDE, SIDE, 3), 148, np.uint8))
    assert (said.name, said.second_name) == ("bright", "dark")
    assert said.score + said.second_score == pytest.approx(1)


def test_the_patch_that_decides_is_the_smallest_part_to_cover() -> None:
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    image[8:16, 40:48] = 220
    question, _ = asked(patch_is_bright)
    said = first(question, image)
    mask = smallest_cover(lambda images: question.support(images, said), image, WHOLE, np.zeros_like(image))
    assert mask is not None
    rows, columns = np.nonzero(mask)
    assert rows.min() >= 8
    assert rows.max() <= 15
    assert columns.min() >= 40
    assert columns.max() <= 47
    # half of the patch black brings its mean below 128
    assert mask.sum() == 32
    after = question.again(covered(image, np.zeros_like(image), mask)[None], said)[0]
    assert after is not None
    assert after.name == "dark"
    assert place_of(mask, WHOLE) == "top right"


def test_no_part_is_found_where_half_of_the_image_does_not_change_the_answer() -> None:
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    question, _ = asked(mean_is_bright)
    said = first(question, image)
    assert smallest_cover(lambda images: question.support(images, said), image, WHOLE, np.full_like(image, 90)) is None


def test_the_smallest_change_of_light_is_found_to_a_hundredth() -> None:
    image = np.full((SIDE, SIDE, 3), 100, np.uint8)
    question, _ = asked(mean_is_bright)
    changes = by_name(smallest_changes(question, image, first(question, image), WHOLE))
    # 40 of 255 grey levels lead to the limit of 60, where the class with the lower number wins
    assert changes["darker"].level == pytest.approx(0.16, abs=0.01)
    assert changes["darker"].after is not None
    assert changes["darker"].after.name == "dark"
    assert changes["darker"].words == "darkened by 16 % of the range"
    assert changes["brighter"].level is None
    assert changes["brighter"].tried == "brightened by up to 80 % of the range"
    assert changes["JPEG"].level is None


def test_the_smallest_shift_is_found_to_a_pixel_in_its_direction() -> None:
    image = np.full((SIDE, SIDE, 3), 60, np.uint8)
    image[8:16, 40:48] = 255
    image[8:16, 48:58] = 255
    question, _ = asked(patch_is_bright)
    changes = by_name(smallest_changes(question, image, first(question, image), WHOLE))
    # 5 of 8 rows or columns of the patch must leave: 255 * 3 / 8 + 60 * 5 / 8 is below 128 only from there on
    assert changes["shift"].level == 4 or changes["shift"].level == 6
    assert "moved" in changes["shift"].words
    assert changes["rotation"].level is not None


def test_a_detector_loses_the_box_and_places_move_with_the_image() -> None:
    image = np.full((SIDE, SIDE, 3), 40, np.uint8)
    image[24:44, 20:40] = 230
    question, _ = asked(spot_detector)
    said = first(question, image)
    assert said.box is not None
    assert said.box.tolist() == [20, 24, 40, 44]
    assert said.second == -1
    changes = by_name(smallest_changes(question, image, said, WHOLE))
    # moved and turned, the spot is found at its new place
    assert changes["shift"].level is None
    assert changes["rotation"].level is None
    # black from 230 to 150 needs about a third of the range
    assert changes["darker"].level == pytest.approx(0.32, abs=0.011)
    assert changes["darker"].after is None


def test_nothing_found_is_no_answer() -> None:
    question, _ = asked(spot_detector)
    assert question.first(np.zeros((SIDE, SIDE, 3), np.uint8)) is None


def test_places_have_names() -> None:
    assert nearest_place(1, 1, WHOLE) == "top left"
    assert nearest_place(32, 32, WHOLE) == "middle"
    assert nearest_place(63, 32, WHOLE) == "right"
    assert nearest_place(-50, 200, WHOLE) == "bottom left"
    corners = np.zeros((SIDE, SIDE), np.bool_)
    corners[:8, :8] = corners[-8:, -8:] = True
    assert place_of(corners, WHOLE) == "several places"


def test_covered_parts_are_taken_from_the_other_image() -> None:
    image = cv2.cvtColor(np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE), cv2.COLOR_GRAY2BGR)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[3, 4] = True
    changed = covered(np.asarray(image, np.uint8), np.full_like(image, 7), mask)
    assert changed[3, 4].tolist() == [7, 7, 7]
    assert (changed != image).any(2).sum() <= 1
