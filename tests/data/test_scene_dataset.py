from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.relabel import match_classes
from edgecnn.data.scene_dataset import dataset
from edgecnn.errors import InputError
from edgecnn.scene import LABELS, Scene, parse_scene

URI = "scene:cups?size=96x72&cut=1&count=7&every=20"


def test_a_data_set_takes_every_nth_frame() -> None:
    frames = dataset(parse_scene(URI))
    assert (frames.task, frames.labels, len(frames)) == ("detect", LABELS, 7)
    assert [sample.image_id for sample in frames.samples] == [0, 20, 40, 60, 80, 100, 120]
    assert [sample.name for sample in frames.samples][:2] == ["frame-0000000", "frame-0000020"]


def test_a_sample_has_the_image_and_the_boxes_of_its_frame() -> None:
    options = parse_scene(URI)
    sample = dataset(options).samples[3]
    image, truth = Scene(options).render(60)
    assert np.array_equal(sample.read(), image)
    assert sample.boxes is not None
    assert np.array_equal(sample.boxes.xyxy, truth.boxes.xyxy)


def test_samples_read_late_and_out_of_order_are_the_same() -> None:
    samples = list(dataset(parse_scene(URI)).samples)
    late = [sample.read() for sample in reversed(samples)][::-1]
    assert all(np.array_equal(a, b.read()) for a, b in zip(late, dataset(parse_scene(URI)).samples, strict=True))


def test_frames_of_a_cut_are_a_group() -> None:
    assert [sample.group for sample in dataset(parse_scene(URI)).samples] == ["0", "0", "1", "2", "2", "3", "4"]


def test_the_samples_are_a_sequence() -> None:
    samples = dataset(parse_scene(URI)).samples
    assert samples[-1].image_id == 120
    assert [sample.image_id for sample in samples[1:3]] == [20, 40]
    with pytest.raises(IndexError):
        samples[7]


def test_a_scene_without_end_is_no_data_set() -> None:
    with pytest.raises(InputError, match="add count="):
        dataset(parse_scene("scene:cups"))


def test_key_points_keep_their_boxes_where_labels_are_matched() -> None:
    found = open_dataset("scene:cups?count=1&size=160x120", task="pose")
    matched, classes = match_classes(found, found.labels)
    before, after = found.samples[0], matched.samples[0]
    assert before.boxes is not None
    assert after.boxes is not None
    assert after.points is not None
    assert (after.boxes.class_id == before.boxes.class_id).all()
    assert classes.dataset_class.tolist() == [0, 1, 2, 3]
