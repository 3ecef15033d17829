from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Preprocess, Resize
from edgecnn.data.sample import Sample
from edgecnn.preprocess import resize_into
from edgecnn.trust.shortcuts.changes import CHANGES, Donors
from edgecnn.trust.shortcuts.erase import erased
from edgecnn.trust.shortcuts.subject import Subject, subject
from edgecnn.types import Boxes, Image


def _image() -> Image:
    return np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8)


def _subject(resize: Resize, boxes: list[list[float]], size: tuple[int, int] = (48, 48)) -> Subject:
    sample = Sample("one", _image, 0, Boxes(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int64)))
    return subject(sample, _image(), Preprocess(size, resize=resize))


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
def test_the_model_sees_the_same_tensor_of_a_subject_as_of_the_image(resize: Resize) -> None:
    preprocess = Preprocess((48, 48), resize=resize)
    first, again = np.empty((48, 48, 3), np.uint8), np.empty((48, 48, 3), np.uint8)
    resize_into(_image(), preprocess, first)
    resize_into(_subject(resize, []).image, preprocess, again)
    assert np.array_equal(first, again)


def test_boxes_are_in_pixels_of_the_input_and_those_out_of_sight_do_not_count() -> None:
    letterboxed = _subject("letterbox", [[30, 15, 60, 45]])
    assert letterboxed.content == (0, 8, 48, 40)
    assert letterboxed.boxes == pytest.approx(np.array([[16, 16, 32, 32]]))
    cropped = _subject("crop", [[30, 15, 60, 45], [0, 20, 16, 40]])  # the crop shows columns 15 to 75
    assert len(cropped.boxes) == 1
    assert cropped.boxes == pytest.approx(np.array([[12, 12, 36, 36]]))
    assert cropped.sample.boxes is not None
    assert cropped.sample.boxes.crowd is not None
    assert cropped.sample.boxes.crowd.tolist() == [False, True]


def _changed(name: str, before: Subject, donors: Donors | None = None) -> Subject | None:
    change = next(one for one in CHANGES if one.name == name)
    return change.apply(before, donors or Donors(), np.random.default_rng(0))


@pytest.mark.parametrize("name", [one.name for one in CHANGES if one.truth == "kept" and not one.one])
def test_the_object_stays_as_it_is(name: str) -> None:
    before, donors = _subject("stretch", [[30, 15, 60, 45]]), Donors()
    donors.images[1] = [np.full((48, 48, 3), 7, np.uint8)]
    after = _changed(name, before, donors)
    assert after is not None
    assert np.array_equal(after.image[12:36, 16:32], before.image[12:36, 16:32])
    assert not np.array_equal(after.image, before.image)


def test_the_padding_of_a_letterbox_stays() -> None:
    before = _subject("letterbox", [[30, 15, 60, 45]])
    for name in ("corners-masked", "borders-masked"):
        after = _changed(name, before)
        assert after is not None
        assert np.array_equal(after.image[:8], before.image[:8])
        assert not np.array_equal(after.image[8:14, :8], before.image[8:14, :8])


def test_a_moved_object_is_where_one_of_another_class_was() -> None:
    before, donors = _subject("stretch", [[6, 6, 24, 20]]), Donors()
    donors.places = {0: [np.array([8, 8], np.float32)], 1: [np.array([38, 38], np.float32)]}
    after = _changed("object-moved", before, donors)
    assert after is not None
    old, new = before.boxes[0], after.boxes[0]
    assert (new[:2] + new[2:]) / 2 == pytest.approx([38, 38], abs=1)
    x1, y1, x2, y2 = (round(float(value)) for value in old)
    shift = np.round(new - old).astype(int)
    moved = after.image[y1 + shift[1] + 1 : y2 + shift[1] - 1, x1 + shift[0] + 1 : x2 + shift[0] - 1]
    assert np.array_equal(moved, before.image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1])


def test_nothing_is_moved_without_another_place_or_room() -> None:
    before = _subject("stretch", [[6, 6, 24, 20]])
    assert _changed("object-moved", before) is None
    near = Donors(places={1: [np.array([9, 11], np.float32)]})
    assert _changed("object-moved", before, near) is None  # it would cover its old place
    assert _changed("background-uniform", _subject("stretch", [[1, 1, 89, 59]])) is None  # no background is left


def test_a_hole_continues_what_is_around_it() -> None:
    image = np.tile(np.linspace(0, 200, 64).astype(np.uint8)[:, None], (64, 1, 3))
    image = np.ascontiguousarray(np.broadcast_to(image.reshape(64, 64, 3)[:, :1], (64, 64, 3)))
    marked, hole = image.copy(), np.zeros((64, 64), np.bool_)
    hole[24:40, 24:40] = True
    marked[hole] = 255
    filled = erased(marked, hole)
    assert np.abs(filled.astype(int) - image).max() < 40
    assert np.array_equal(filled[~hole], image[~hole])
