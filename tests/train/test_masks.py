"""Sets that label only some of the classes: what is not labelled in an image is not learnt from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from edgecnn.card import Preprocess
from edgecnn.data import Boxes, open_dataset
from edgecnn.data.relabel import to_classes
from edgecnn.train.assign import collate
from edgecnn.train.boxes import cells
from edgecnn.train.config import TrainConfig
from edgecnn.train.detect import DetectionObjective, detection_loss
from edgecnn.train.in_memory import load

SIZE = (64, 64)
OBJECT = Boxes(np.float32([[8, 8, 40, 40]]), np.array([0], np.int64))
NOTHING = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


def gradient(boxes: Boxes, labelled: list[bool]) -> Tensor:
    """Of the loss by the class logits (N, C) of one image."""
    count = len(cells(SIZE)[0])
    logits = torch.zeros((1, count, len(labelled)), requires_grad=True)
    truth = collate([boxes], np.array([labelled]))
    detection_loss(torch.full((1, count, 4), 2.0), logits, truth, SIZE, 8.0).backward()
    assert logits.grad is not None
    return logits.grad[0]


@pytest.mark.parametrize(
    "boxes", [pytest.param(OBJECT, id="beside an object of another class"), pytest.param(NOTHING, id="empty")]
)
def test_a_class_that_is_not_labelled_has_no_gradient(boxes: Boxes) -> None:
    found = gradient(boxes, [True, False])
    assert found[:, 1].abs().max() == 0
    assert found[:, 0].abs().min() > 0


def test_a_labelled_class_is_trained_as_background() -> None:
    assert gradient(OBJECT, [True, True])[:, 1].min() > 0


def test_an_image_of_a_batch_does_not_mask_another() -> None:
    count = len(cells(SIZE)[0])
    logits = torch.zeros((2, count, 2), requires_grad=True)
    truth = collate([OBJECT, OBJECT], np.array([[True, False], [True, True]]))
    detection_loss(torch.full((2, count, 4), 2.0), logits, truth, SIZE, 8.0).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, 1].abs().max() == 0
    assert logits.grad[1, :, 1].abs().min() > 0


@pytest.fixture
def objective(boxes: Path) -> DetectionObjective:
    """Sixteen images that label dark and bright, and sixteen that label dark only; of three classes none labels the last."""
    both = to_classes(open_dataset(boxes), ("dark", "bright", "red"))
    dark = to_classes(open_dataset(f"{boxes}?classes=dark"), ("dark", "bright", "red"))
    preprocess = Preprocess((64, 96))
    options = TrainConfig(model="edgedet", data=(), out=Path("unused"), augment="strong", seed=5)
    return DetectionObjective(load((both, dark), preprocess), preprocess, options, 8.0)


def test_the_address_decides_what_is_labelled(objective: DetectionObjective) -> None:
    assert objective.pixels.labelled[:16].tolist() == [[True, True, False]] * 16
    assert objective.pixels.labelled[16:].tolist() == [[True, False, False]] * 16
    assert all(set(item.class_id.tolist()) <= {0} for item in objective.pixels.boxes[16:])


def test_a_batch_carries_it(objective: DetectionObjective) -> None:
    _, truth = objective.batch(np.array([3, 20]), 0)
    assert truth.labelled is not None
    assert truth.labelled.tolist() == [[True, True, False], [True, False, False]]


def test_only_images_with_the_same_classes_are_put_together(objective: DetectionObjective) -> None:
    for index in range(32):
        partners = objective._partners(index, 8, np.random.default_rng(index))
        assert all((partner < 16) == (index < 16) for partner in partners)
