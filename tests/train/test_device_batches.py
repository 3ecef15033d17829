"""Batches made on the training device: images, boxes, masks and key points move together. Here the device is the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgecnn.card import ModelCard
from edgecnn.data import Boxes
from edgecnn.errors import InputError
from edgecnn.models.new_card import new_card
from edgecnn.train.assign import GroundTruth, collate
from edgecnn.train.config import TrainConfig
from edgecnn.train.device_batches import (
    ClassificationBatches,
    DetectionBatches,
    PoseBatches,
    SegmentationBatches,
    device_batches,
)
from edgecnn.train.distributed import ProcessGroup
from edgecnn.train.hardware import Hardware
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import to_input
from edgecnn.train.pose import device_targets, pose_targets
from edgecnn.types import NO_CLASS, Float32, Image

SIZE = (96, 128)
CPU = Hardware("cpu", bf16=False)


def options(augment: str, model: str = "edgedet", epochs: int = 10) -> TrainConfig:
    return TrainConfig(
        model=model, data=("data",), out=Path("out"), augment=augment, epochs=epochs, multiscale_fraction=0.0, loader="device"
    )


def ellipses(count: int, seed: int = 0) -> tuple[Image, tuple[Boxes, ...]]:
    """Gray images with one white ellipse each, and its box."""
    rng, images, boxes = np.random.default_rng(seed), np.full((count, *SIZE, 3), 90, np.uint8), []
    for image in images:
        middle = rng.uniform([40, 32], [88, 64])
        half = rng.uniform([14, 14], [30, 26])
        low, high = middle - half, middle + half
        y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
        image[((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 <= 1] = 255
        boxes.append(Boxes(np.float32([[*low, *high]]), np.zeros(1, np.int64)))
    return images, tuple(boxes)


def loaded(
    images: Image, boxes: tuple[Boxes, ...] = (), labelled: NDArray[np.bool_] | None = None, **more: Any
) -> InMemoryImages:
    count = len(images)
    labelled = np.ones((count, 2), np.bool_) if labelled is None else labelled
    none = np.zeros((count, 2), np.bool_)
    return InMemoryImages(images, np.arange(count) % 2, boxes, np.zeros(count, np.float32), labelled, none, **more)


def detector(size: tuple[int, int] = SIZE) -> ModelCard:
    return new_card("edgedet", {"size": size, "classes": 2}, ("dark", "bright"))


def pixels(inputs: torch.Tensor, card: ModelCard) -> Float32:
    """The input as images (B, H, W, C) of 0..255."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (card.preprocess.mean, card.preprocess.std))
    return (inputs * std + mean).permute(0, 2, 3, 1).numpy()


def test_without_augmentation_input_and_boxes_are_those_of_the_images() -> None:
    images, boxes = ellipses(4)
    card = detector()
    inputs, truth = DetectionBatches(loaded(images, boxes), card, options("none"), "cpu").batch(torch.arange(4), 0)
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(inputs, to_input(list(images), card.preprocess))
    torch.testing.assert_close(truth.xyxy, collate(list(boxes)).xyxy, atol=1e-3, rtol=0)
    assert truth.real.all()
    assert not truth.crowd.any()


def test_a_smaller_input_is_the_scaled_image() -> None:
    images, boxes = ellipses(2)
    card = detector()
    made = DetectionBatches(loaded(images, boxes), card, options("none"), "cpu")
    object.__setattr__(made.config, "multiscale_fraction", 1.0)
    inputs, truth = made.batch(torch.arange(2), 0)
    assert inputs.shape[2:] == (64, 96)
    wanted = cv2.resize(images[0], (96, 64), interpolation=cv2.INTER_LINEAR)
    assert np.abs(pixels(inputs, card)[0] - wanted).max() < 1.5
    assert truth.xyxy[0, 0].tolist() == pytest.approx((boxes[0].xyxy[0] * [0.75, 2 / 3, 0.75, 2 / 3]).tolist(), abs=1e-2)


def outlines(shown: Float32, truth: GroundTruth, row: int) -> tuple[list[list[float]], list[list[float]]]:
    """Boxes of the white regions of an output, and those of its truth; both sorted."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((shown[row].min(-1) > 172).astype(np.uint8))
    seen = [[x, y, x + w, y + h] for x, y, w, h, area in stats[1:count] if area > 30]
    known = truth.xyxy[row][truth.real[row]].tolist()
    return sorted(map(list, seen)), sorted(known)


@pytest.mark.parametrize(
    "augment",
    [
        "none?flip=1",
        "none?flip_vertical=1",
        "none?scale=0.4&shift=0.15",
        "none?rotate=25",
        "none?crop=0.3",
        "none?shift=0.1",
        "none?flip=1&rotate=40&scale=0.3",
    ],
)
def test_boxes_stay_on_the_objects(augment: str) -> None:
    images, boxes = ellipses(24)
    card = detector()
    torch.manual_seed(1)
    inputs, truth = DetectionBatches(loaded(images, boxes), card, options(augment), "cpu").batch(torch.arange(24), 0)
    shown, checked = pixels(inputs, card), 0
    for row in range(24):
        seen, known = outlines(shown, truth, row)
        if len(seen) != 1 or not known or min(seen[0][:2]) == 0 or seen[0][2] == SIZE[1] or seen[0][3] == SIZE[0]:
            continue  # cut off by the border: an ellipse then fills less than its box
        np.testing.assert_allclose(known[0], seen[0], atol=2.0)
        checked += 1
    assert checked >= 12


def test_a_mosaic_has_the_objects_of_four_images() -> None:
    images, boxes = ellipses(32)
    card = detector()
    torch.manual_seed(2)
    inputs, truth = DetectionBatches(loaded(images, boxes), card, options("none?mosaic=1"), "cpu").batch(torch.arange(32), 0)
    shown = pixels(inputs, card)
    assert (truth.real | truth.crowd).sum(1).max() == 4
    whole = 0
    for row in range(32):
        seen, known = outlines(shown, truth, row)
        for box in known:
            near = [other for other in seen if np.abs(np.subtract(other, box)).max() < 2.5]
            whole += len(near) == 1
    assert whole >= 0.7 * float(truth.real.sum())  # the others are cut by a border between images


def test_an_object_that_is_mostly_cut_off_is_ignored() -> None:
    images = np.full((1, *SIZE, 3), 90, np.uint8)
    boxes = (Boxes(np.float32([[0, 0, 12, 12]]), np.zeros(1, np.int64)),)
    made = DetectionBatches(loaded(images, boxes), detector(), options("none?scale=3"), "cpu")
    torch.manual_seed(0)
    states = set()
    for _ in range(60):
        _, truth = made.batch(torch.zeros(1, dtype=torch.int64), 0)
        states.add((bool(truth.real[0, 0]), bool(truth.crowd[0, 0])))
    assert states >= {(True, False), (False, False), (False, True)}


def test_images_of_a_mosaic_label_the_same_classes() -> None:
    images, boxes = ellipses(8)
    images[:4], images[4:] = 90, 200
    labelled = np.array([[True, True]] * 4 + [[True, False]] * 4)
    card = detector()
    made = DetectionBatches(loaded(images, boxes, labelled), card, options("none?mosaic=1&mixup=1"), "cpu")
    torch.manual_seed(0)
    inputs, truth = made.batch(torch.arange(8), 0)
    assert truth.labelled is not None
    assert truth.labelled.tolist() == labelled.tolist()
    shown = pixels(inputs, card)
    # the images, the gray around them, and their mixtures
    for part, value in ((shown[:4], 90), (shown[4:], 200)):
        assert set(np.unique(part.round())) <= {114.0, (114.0 + value) / 2, value}


def test_the_last_epochs_are_only_mirrored() -> None:
    images, boxes = ellipses(4)
    made = DetectionBatches(loaded(images, boxes), detector(), options("strong"), "cpu")
    assert made.variant(0) != made.variant(9)
    inputs, _ = made.batch(torch.arange(4), 9)
    plain = to_input(list(images), detector().preprocess)
    for found, own in zip(inputs, plain, strict=True):
        assert any(torch.allclose(found, way, atol=1e-3) for way in (own, own.flip(-1)))


def test_the_same_seed_gives_the_same_batch() -> None:
    images, boxes = ellipses(6)
    made = DetectionBatches(loaded(images, boxes), detector(), options("strong"), "cpu")
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(made.batch(torch.arange(6), 0)[0])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_masks_move_with_the_images() -> None:
    images, _ = ellipses(8)
    masks = tuple((image[..., 0] == 255).astype(np.uint8) for image in images)
    card = new_card("edgeseg", {"size": SIZE, "classes": 2}, ("table", "object"))
    config = options("none?flip=0.5&rotate=30&scale=0.3&shift=0.2", "edgeseg")
    torch.manual_seed(0)
    inputs, truth = SegmentationBatches(loaded(images, masks=masks), card, config, "cpu").batch(torch.arange(8), 0)
    shown = pixels(inputs, card)[..., 0]
    assert (truth == NO_CLASS).any()
    known = truth.numpy()
    # of a bilinear border pixel the nearest value may be either
    sure = (np.abs(shown - 90) < 1) | (np.abs(shown - 255) < 1)
    inside = sure & (known != NO_CLASS)
    assert (known[inside] == (shown[inside] > 172)).all()
    assert set(np.unique(known)) == {0, 1, NO_CLASS}


def test_targets_of_key_points_are_those_of_the_processes() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 96, (3, 5, 4, 2)), rng.integers(0, 3, (3, 5, 4, 1))], -1).astype(np.float32)
    points[0, 1, :, 2] = 0
    crowd = rng.random((3, 5)) < 0.3
    found = device_targets(torch.from_numpy(points), torch.from_numpy(crowd), SIZE, 64.0)
    for row in range(3):
        centre, offset, weight = pose_targets(points[row], crowd[row], SIZE, 64.0)
        np.testing.assert_allclose(found.centre[row], centre, atol=1e-5)
        np.testing.assert_allclose(found.weight[row], weight)
        np.testing.assert_allclose(found.offset[row] * found.weight[row], offset * weight, atol=1e-5)


def test_key_points_move_with_the_images_and_change_sides_in_a_mirror() -> None:
    images = np.full((1, *SIZE, 3), 90, np.uint8)
    points = (np.float32([[[40, 30, 2], [30, 30, 2], [50, 30, 2], [40, 60, 2]]]),)
    boxes = (Boxes(np.float32([[30, 30, 50, 60]]), np.zeros(1, np.int64)),)
    card = new_card("edgepose", {"size": SIZE}, ("rim", "rim left", "rim right", "foot"))
    made = PoseBatches(loaded(images, boxes, points=points), card, options("none?flip=1", "edgepose"), "cpu")
    _, truth = made.batch(torch.zeros(1, dtype=torch.int64), 0)
    mirrored = np.float32([[[88, 30, 2], [78, 30, 2], [98, 30, 2], [88, 60, 2]]])
    centre, offset, _ = pose_targets(mirrored, np.zeros(1, bool), SIZE, float(card.decode.options["reach"]) * 128)
    np.testing.assert_allclose(truth.centre[0], centre, atol=1e-5)
    np.testing.assert_allclose(truth.offset[0] * (truth.weight[0] > 0), offset, atol=1e-5)


def test_a_classifier_mixes_images_until_the_last_epochs() -> None:
    images, _ = ellipses(6)
    card = new_card("resnet-xs", {"size": SIZE, "channels": 3, "classes": 2}, ("a", "b"))
    made = ClassificationBatches(loaded(images), card, options("none?mixup=1", "resnet-xs"), "cpu")
    torch.manual_seed(0)
    inputs, truth = made.batch(torch.arange(6), 0)
    assert truth.shape == (6, 2)
    torch.testing.assert_close(truth.sum(1), torch.ones(6))
    weight = float(truth[0, 0])
    plain = to_input(list(images), card.preprocess)
    torch.testing.assert_close(inputs, weight * plain + (1 - weight) * plain.roll(1, 0), atol=1e-3, rtol=0)
    inputs, truth = made.batch(torch.arange(6), 9)
    assert truth.tolist() == [0, 1, 0, 1, 0, 1]
    torch.testing.assert_close(inputs, plain)


@pytest.mark.parametrize(
    "augment", ["none?brightness=0.5", "none?gamma=0.5", "none?color=0.5", "none?blur=1", "none?noise=1", "none?erase=1"]
)
def test_colors_change_in_their_range(augment: str) -> None:
    rng = np.random.default_rng(0)
    images = np.full((16, *SIZE, 3), (200, 120, 60), np.uint8)
    images[:, ::2] = rng.integers(0, 255, (16, SIZE[0] // 2, SIZE[1], 3))
    card = new_card("resnet-xs", {"size": SIZE, "channels": 3, "classes": 2}, ("a", "b"))
    torch.manual_seed(0)
    inputs, _ = ClassificationBatches(loaded(images), card, options(augment, "resnet-xs"), "cpu").batch(torch.arange(16), 0)
    shown = pixels(inputs, card)
    assert shown.min() >= -1e-3
    assert shown.max() <= 255.001
    changed = np.abs(shown - images).mean((1, 2, 3))
    assert (changed > 1).sum() >= 4
    assert changed.max() < 120


def test_hue_and_saturation_leave_gray_as_it_is() -> None:
    images = np.repeat(np.random.default_rng(0).integers(0, 255, (8, *SIZE, 1), np.uint8), 3, -1)
    card = new_card("resnet-xs", {"size": SIZE, "channels": 3, "classes": 2}, ("a", "b"))
    inputs, _ = ClassificationBatches(loaded(images), card, options("none?color=1", "resnet-xs"), "cpu").batch(torch.arange(8), 0)
    assert np.abs(pixels(inputs, card) - images).max() < 0.1


def test_a_task_without_such_batches_is_refused_or_uses_processes() -> None:
    card = new_card("superres", {}, ())
    images = loaded(ellipses(1)[0])
    with pytest.raises(InputError, match="--loader device"):
        device_batches(images, card, options("none", "superres"), CPU, ProcessGroup())
    auto = TrainConfig(model="superres", data=("data",), out=Path("out"))
    assert device_batches(images, card, auto, Hardware("cuda", bf16=True), ProcessGroup()) is None
    assert device_batches(images, card, auto, CPU, ProcessGroup()) is None
    with pytest.raises(InputError, match="several processes"):
        device_batches(images, detector(), options("none"), CPU, ProcessGroup(0, 2))
