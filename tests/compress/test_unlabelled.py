"""Images that nobody labelled, taught by a model file's boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.errors import InputError
from edgecnn.train.config import TrainConfig
from edgecnn.train.datasets import load_datasets
from edgecnn.types import Detections, Image


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(6):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"pictures/{index}.png"), np.full((32, 48, 3), 40 * index, np.uint8))
    return tmp_path / "pictures"


def bright(image: Image) -> Detections:
    """One box where the image is bright."""
    if image.mean() < 100:
        return Detections.empty()
    return Detections(np.array([[4, 4, 20, 20]], np.float32), np.array([0.9], np.float32), np.array([1], np.int64))


def configured(pictures: Path, classes: tuple[str, ...]) -> TrainConfig:
    return TrainConfig(
        model="edgedet", data=(str(pictures),), out=pictures.parent, classes=classes, pseudo=("a.onnx",), val_fraction=0.5
    )


def test_boxes_of_the_teacher_are_the_ground_truth_and_none_is_for_validation(pictures: Path) -> None:
    teacher = PseudoLabeler(bright, ("lamp", "Person"), "a.onnx")
    data = load_datasets(configured(pictures, ("person",)), "detect", [teacher])
    assert data.val is None
    samples = list(data.train[0].samples)
    assert [len(sample.boxes) for sample in samples if sample.boxes is not None] == [0, 0, 0, 1, 1, 1]
    assert all(not sample.unlabelled for sample in samples)
    assert data.sources[0]["pseudo"]["boxes"] == {"person": 3}


def test_a_class_that_no_teacher_knows_is_refused(pictures: Path) -> None:
    with pytest.raises(InputError, match="no dataset labels vehicle"):
        load_datasets(
            configured(pictures, ("person", "vehicle")), "detect", [PseudoLabeler(bright, ("lamp", "person"), "a.onnx")]
        )


def test_classes_must_be_named(pictures: Path) -> None:
    with pytest.raises(InputError, match="with --classes"):
        load_datasets(configured(pictures, ()), "detect", [PseudoLabeler(bright, ("lamp", "person"), "a.onnx")])
