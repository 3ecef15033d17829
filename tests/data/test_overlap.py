"""Images that a model was trained or calibrated on are noticed while they are read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data.overlap import OverlapError, OverlapWatch, check_overlap
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.reference_profile.seen_images import seen_record
from edgecnn.types import Image

CARD = ModelCard(name="m", task="classify", labels=("a",), preprocess=Preprocess((8, 8)), decode=Decode("softmax"))


def picture(number: int) -> Image:
    return np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)


def dataset(numbers: range | list[int], read: Callable[[int], Image] = picture) -> Dataset:
    samples = [Sample(f"{number}.png", lambda number=number: read(number), label=0) for number in numbers]  # type: ignore[misc]
    return Dataset("photos", "classify", ("a",), samples)


def trained_on(numbers: range) -> ModelCard:
    return CARD.replace(training=seen_record("training", "album", [content_hash(picture(number)) for number in numbers]))


def read_all(found: Dataset) -> None:
    for sample in found.samples:
        sample.read()


def test_a_set_of_other_images_passes() -> None:
    watch = OverlapWatch({"m.onnx": trained_on(range(50))}, dataset(range(50, 100)))
    read_all(watch.dataset)
    found = watch.finish()
    assert found.notes == ()
    document = found.to_document()
    assert document is not None
    assert document["allowed"] is False
    assert [(part["dataset"], part["compared"], part["shared"]) for part in document["parts"]] == [("album", 50, 0)]


def test_the_training_set_is_refused_at_its_first_image_with_all_of_them_counted() -> None:
    read: list[int] = []

    def counted(number: int) -> Image:
        read.append(number)
        return picture(number)

    watch = OverlapWatch({"m.onnx": trained_on(range(50))}, dataset(range(40, 60), counted))
    with pytest.raises(OverlapError) as error:
        read_all(watch.dataset)
    assert error.value.problem == (
        "photos: 10 of 20 images compared are in the training data of m.onnx (40.png, 41.png, 42.png, ...)"
    )
    assert error.value.fix == (
        "measure on images that the model has not seen, such as a held-out split; --allow-overlap measures all the same and says so"
    )
    assert sorted(read) == list(range(40, 60))  # each once


def test_what_is_allowed_is_noted() -> None:
    found = check_overlap(dataset(range(40, 60)), {"m.onnx": trained_on(range(50))}, allowed=True)
    assert found.notes == (
        "10 of 20 images compared are in the training data of m.onnx (40.png, 41.png, 42.png, ...): "
        "the figures say little of other images",
    )
    document = found.to_document()
    assert document is not None
    assert document["allowed"] is True
    assert document["parts"][0]["first"] == ["40.png", "41.png", "42.png"]


def test_below_one_percent_it_is_only_said() -> None:
    card = trained_on(range(2))
    found = check_overlap(dataset(range(1, 301)), {"m.onnx": card})
    assert found.notes == (
        "1 of 300 images compared is in the training data of m.onnx (1.png): too few to change the figures much",
    )
    with pytest.raises(OverlapError, match="2 of 200 images"):
        check_overlap(dataset(range(200)), {"m.onnx": card})


def test_calibration_counts_likewise_and_data_of_two_files_are_told_once() -> None:
    calibrated = CARD.replace(calibration=seen_record("calibration", "few", [content_hash(picture(7))]))
    with pytest.raises(OverlapError, match=r"1 of 10 images compared is in the calibration data of b\.onnx \(7\.png\)"):
        check_overlap(dataset(range(10)), {"a.onnx": CARD, "b.onnx": calibrated})
    twice = {"a.onnx": trained_on(range(9)), "b.onnx": trained_on(range(9))}
    found = check_overlap(dataset(range(10)), twice, allowed=True)
    assert [part.file for part in found.parts] == ["a.onnx"]


def test_images_read_again_count_once_and_unreadable_ones_not_at_all() -> None:
    def read(number: int) -> Image:
        if number == 3:
            raise InputError("3.png can't be read", "leave it out")
        return picture(number)

    watch = OverlapWatch({"m.onnx": trained_on(range(100, 200))}, dataset(range(5), read))
    for sample in [*watch.dataset.samples, *watch.dataset.samples]:
        try:
            sample.read()
        except InputError:
            assert sample.name == "3.png"
    watch.compare(None)
    assert watch.finish().parts[0].compared == 4


def test_blank_images_are_equal_by_chance() -> None:
    def blank(_: int) -> Image:
        return np.zeros((8, 8, 3), np.uint8)

    card = CARD.replace(training=seen_record("training", "album", [content_hash(blank(0))]))
    assert check_overlap(dataset(range(9), blank), {"m.onnx": card}).parts[0].shared == 0


def test_a_file_that_does_not_say_what_it_was_trained_on_costs_nothing() -> None:
    own = dataset(range(3))
    watch = OverlapWatch({"m.onnx": CARD}, own)
    assert watch.dataset is own
    watch.compare(None)
    assert watch.finish().to_document() is None


def test_of_a_restoration_the_image_before_it_was_degraded_is_compared() -> None:
    sample = Sample("1.png", lambda: picture(99), original=lambda: picture(1))
    watch = OverlapWatch({"m.onnx": trained_on(range(2))}, Dataset("photos", "restore", (), [sample]))
    watch.dataset.samples[0].read()
    original = watch.dataset.samples[0].original
    assert original is not None
    with pytest.raises(OverlapError):
        original()


def test_only_as_many_images_are_read_as_asked_for() -> None:
    read: list[int] = []

    def counted(number: int) -> Image:
        read.append(number)
        return picture(number)

    assert check_overlap(dataset(range(100), counted), {"m.onnx": trained_on(range(200, 300))}, most=10).parts[0].compared == 10
    assert len(read) == 10


def test_only_the_image_of_a_sample_is_replaced() -> None:
    sample = Sample(
        "1.png", lambda: picture(1), 2, None, "clip", 7, frozenset({3}), 0.5, lambda: picture(2), None, None, frozenset({1})
    )
    watch = OverlapWatch({"m.onnx": trained_on(range(5, 9))}, Dataset("photos", "classify", ("a",), [sample]))
    found = watch.dataset.samples[0]
    same = [name for name in Sample.__slots__ if getattr(found, name) == getattr(sample, name)]
    assert same == [name for name in Sample.__slots__ if name != "read"]
    assert (found.read() == picture(1)).all()
