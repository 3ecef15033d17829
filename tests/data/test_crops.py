"""Crops of single objects from datasets with boxes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.crops import crops, square_crop
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.types import Boxes, Image

SCENE = "scene:cups?count=4&every=3&size=160x120&seed=3&speed=0"


def boxes_of(identity: list[int] | None, crowd: list[bool]) -> Boxes:
    xyxy = np.array([[10, 10, 30, 20], [40, 20, 60, 60], [2, 2, 6, 6]], np.float32)
    ids = None if identity is None else np.array(identity, np.int64)
    return Boxes(xyxy, np.array([0, 1, 1]), ids, np.array(crowd))


def dataset(boxes: Boxes) -> Dataset:
    image: Image = np.arange(80 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(80, 80, 3)
    samples = [Sample(f"{n}.png", lambda: image, boxes=boxes, group="clip") for n in range(2)]
    return Dataset("set", "detect", ("a", "b"), samples)


def test_each_box_becomes_a_square_of_its_class() -> None:
    found = crops(dataset(boxes_of(None, [False] * 3)), "class")
    assert [(sample.name, sample.label) for sample in found.samples[:2]] == [("0.png/0", 0), ("0.png/1", 1)]
    assert found.task == "classify"
    assert found.labels == ("a", "b")
    assert len(found) == 4  # the third box is too small
    assert found.samples[0].read().shape == (24, 24, 3)


def test_crowd_boxes_are_left_out() -> None:
    assert len(crops(dataset(boxes_of(None, [True, False, False])), "class")) == 2


def test_the_same_track_in_two_images_is_one_class() -> None:
    found = crops(dataset(boxes_of([7, 9, 1], [False] * 3)), "identity")
    assert found.labels == ("clip/7", "clip/9")
    assert [sample.label for sample in found.samples] == [0, 1, 0, 1]


def test_without_tracks_there_are_no_identities() -> None:
    with pytest.raises(InputError, match="needs tracks"):
        crops(dataset(boxes_of(None, [False] * 3)), "identity")


def test_a_crop_beyond_the_image_repeats_its_border() -> None:
    image: Image = np.zeros((20, 20, 3), np.uint8)
    image[:, -1] = 200
    crop = square_crop(image, np.array([14, 0, 24, 10], np.float32))
    assert crop.shape == (12, 12, 3)
    assert (crop[:, 6:] == 200).all()
    assert not crop[:, :6].any()


def test_a_scene_gives_crops_of_its_objects() -> None:
    found = open_dataset(f"{SCENE}&crops=identity")
    counts = np.bincount([sample.label or 0 for sample in found.samples])
    assert found.task == "classify"
    assert counts.max() == 4
    side = found.samples[0].read().shape
    assert side[0] == side[1] >= 12


def test_another_kind_of_crop_is_refused() -> None:
    with pytest.raises(InputError, match="neither class nor identity"):
        open_dataset(f"{SCENE}&crops=box")
