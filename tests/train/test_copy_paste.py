"""Pasted objects: boxes stay on the pixels of their objects, in loading processes and on the training device (here the CPU)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgecnn.data import Boxes
from edgecnn.errors import InputError
from edgecnn.models.new_card import new_card
from edgecnn.train.assign import GroundTruth
from edgecnn.train.augment_policy import AugmentPolicy, parse_policy
from edgecnn.train.batch_objects import BatchObjects, LabelGroups
from edgecnn.train.config import TrainConfig
from edgecnn.train.copy_paste import CROPS, DRAWS, LARGEST, SMALLEST, CopyPaste
from edgecnn.train.detect import DetectionObjective
from edgecnn.train.device_batches import DetectionBatches
from edgecnn.train.device_geometry import CanvasMotion
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.on_device import DeviceImages
from edgecnn.train.paste_pixels import paste_into_image
from edgecnn.types import Float32, Image

SIZE = (96, 128)
GROUND = 114  # a colour of no object, and not that of the bars of a letterbox
Found = tuple[Image, GroundTruth]


def colours(count: int) -> Image:
    """``count`` colours of full saturation with different hues: (count, 3) uint8."""
    angle = np.arange(count)[:, None] / count * 2 * np.pi + np.arange(3) * 2 * np.pi / 3
    return (127.5 + 127.5 * np.cos(angle)).round().astype(np.uint8)


def painted(count: int, each: int = 1, seed: int = 0, crowd: bool = False, kinds: int = 0) -> InMemoryImages:
    """Images with ``each`` rectangles, whose class is the number of their colour; ``kinds`` colours, else one for each image."""
    kinds = kinds or count
    rng, paint = np.random.default_rng(seed), np.eye(3, dtype=np.uint8) * 255 if kinds == 3 else colours(kinds)
    images, boxes = np.full((count, *SIZE, 3), 60, np.uint8), []
    for index, image in enumerate(images):
        found = np.zeros((each, 4), np.float32)
        for number in range(each):
            wide, high = rng.integers(14, 40, 2)
            left, top = number * 60 + int(rng.integers(4, 16)), int(rng.integers(4, SIZE[0] - high - 4))
            found[number] = left, top, left + wide, top + high
            image[top : top + high, left : left + wide] = paint[index % kinds]
        boxes.append(Boxes(found, np.full(each, index % kinds, np.int64), None, np.full(each, crowd)))
    return in_memory(images, tuple(boxes), kinds)


def in_memory(images: Image, boxes: tuple[Boxes, ...], classes: int, labelled: NDArray[np.bool_] | None = None) -> InMemoryImages:
    count = len(images)
    labelled = np.ones((count, classes), np.bool_) if labelled is None else labelled
    return InMemoryImages(images, np.zeros(count, np.int64), boxes, np.zeros(count, np.float32), labelled, labelled)


def config(augment: str, epochs: int = 10) -> TrainConfig:
    return TrainConfig(
        model="edgedet", data=("data",), out=Path("out"), augment=augment, epochs=epochs, multiscale_fraction=0.0, loader="device"
    )


def batch(images: InMemoryImages, augment: str, way: str, epoch: int = 0, seed: int = 0, size: tuple[int, int] = SIZE) -> Found:
    """All images as pixels (B, H, W, C), and their objects."""
    labels = tuple(f"class {number}" for number in range(images.labelled.shape[1]))
    card = new_card("edgedet", {"size": size, "classes": len(labels)}, labels)
    options = dataclasses.replace(config(augment), seed=seed)
    if way == "workers":
        inputs, truth = DetectionObjective(images, card.preprocess, options, 8.0).batch(np.arange(len(images)), epoch)
    else:
        torch.manual_seed(seed)
        inputs, truth = DetectionBatches(images, card, options, "cpu").batch(torch.arange(len(images)), epoch)
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (card.preprocess.mean, card.preprocess.std))
    return (inputs * std + mean).permute(0, 2, 3, 1).numpy(), truth


def outlines(image: Float32, kind: int) -> Float32:
    """The boxes around the pixels that are red, green or blue for ``kind`` 0, 1, 2: around all, and without thin strips, (2, 4).

    A mixture is what it has most of.
    """
    own = ((image.max(-1) - image.min(-1) > 100) & (image.argmax(-1) == kind)).astype(np.uint8)
    found = np.zeros((2, 4), np.float32)
    for place, part in zip(found, (own, cv2.morphologyEx(own, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))), strict=True):
        rows, columns = np.nonzero(part)
        if len(rows):
            place[:] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return found


@pytest.fixture(params=["workers", "device"])
def way(request: pytest.FixtureRequest) -> str:
    """Where batches are made."""
    return str(request.param)


@pytest.mark.parametrize("augment", ["none?copy_paste=1", "none?copy_paste=1&flip=1", "none?copy_paste=1&scale=0.3&shift=0.1"])
def test_boxes_lie_on_the_pixels_of_their_objects(augment: str, way: str) -> None:
    checked = brought = 0
    for seed in range(3):
        images = painted(12, seed=seed, kinds=3)
        shown, truth = batch(images, augment, way, seed=seed)
        for row in range(12):
            kinds = truth.class_id[row][truth.real[row] | truth.crowd[row]].tolist()
            for box, kind in zip(
                truth.xyxy[row][truth.real[row]].numpy(), truth.class_id[row][truth.real[row]].tolist(), strict=True
            ):
                at_border = min(box[:2]) <= 0 or box[2] >= SIZE[1] or box[3] >= SIZE[0]
                if kinds.count(kind) > 1 or at_border:
                    continue  # the outline of two objects of one colour, or of one that is cut off, is not that of a box
                # a margin, a tenth of a side of at most 60 pixels, is half of one object and half of the other
                assert (np.abs(outlines(shown[row], kind) - box).min(0) <= 3.5).all()
                checked += 1
                brought += kind != row % 3
    assert checked > 25
    assert brought > 9


def test_what_is_hidden_has_no_box(way: str) -> None:
    """A large object on images with one that is too small to be pasted itself."""
    images, paint, rng = np.full((24, *SIZE, 3), 60, np.uint8), colours(24), np.random.default_rng(0)
    boxes = [Boxes(np.float32([[30, 20, 90, 66]]), np.zeros(1, np.int64))]
    images[0, 20:66, 30:90] = 255
    for index in range(1, 24):
        left, top = rng.integers(20, 70, 2)
        images[index, top : top + 5, left : left + 5] = paint[index]
        boxes.append(Boxes(np.float32([[left, top, left + 5, top + 5]]), np.array([index])))
    shown, truth = batch(in_memory(images, tuple(boxes), 24), "none?copy_paste=1", way)
    hidden = []
    for row in range(1, 24):
        there = truth.real[row] | truth.crowd[row]
        visible = int((np.abs(shown[row] - paint[row].astype(np.float32)).max(-1) < 40).sum())
        assert set(truth.class_id[row][there].tolist()) <= {0, row}
        if row in truth.class_id[row][truth.real[row]]:
            assert visible > 0
        elif row not in truth.class_id[row][there]:
            assert visible <= 6
            hidden.append(row)
    assert 2 <= len(hidden) <= 18


def covered(own: tuple[float, ...], front: tuple[float, ...], on: bool = True) -> tuple[list[float], bool, bool]:
    """The box, whether it is there and whether it is a crowd, of an object behind ``front``."""
    objects = BatchObjects.of([Boxes(np.float32([own]), np.zeros(1, np.int64))])
    found = objects.covered(torch.tensor([[front]]), torch.tensor([[on]]))
    return found.xyxy[0, 0].tolist(), bool(found.there[0, 0]), bool(found.crowd[0, 0])


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        pytest.param((50.0, 0, 60, 10), ([10, 10, 30, 50], True, False), id="beside"),
        pytest.param((0.0, 20, 5, 60), ([10, 10, 30, 50], True, False), id="left-of-it"),
        pytest.param((0.0, 40, 20, 60), ([10, 10, 30, 50], True, False), id="a-corner"),
        pytest.param((0.0, 40, 40, 60), ([10, 10, 30, 40], True, False), id="the-lower-quarter"),
        pytest.param((5.0, 30, 40, 60), ([10, 10, 30, 30], True, True), id="the-lower-half"),
        pytest.param((0.0, 0, 18, 60), ([18, 10, 30, 50], True, False), id="left-part"),
        pytest.param((0.0, 0, 25, 60), ([25, 10, 30, 50], True, True), id="left-three-quarters"),
        pytest.param((0.0, 25, 40, 35), ([10, 10, 30, 50], True, False), id="a-band-in-the-middle"),
        pytest.param((0.0, 0, 40, 48), ([10, 48, 30, 50], False, True), id="nearly-all"),
        pytest.param((0.0, 0, 40, 60), ([10, 10, 30, 50], False, True), id="all"),
    ],
)
def test_a_covered_object_is_what_shows_of_it(front: tuple[float, ...], expected: tuple[list[float], bool, bool]) -> None:
    box, there, crowd = covered((10.0, 10, 30, 50), front)
    assert (there, crowd) == expected[1:]
    if there:
        assert box == expected[0]
    assert covered((10.0, 10, 30, 50), front, on=False) == ([10, 10, 30, 50], True, False)


def test_several_cover_more_than_one() -> None:
    objects = BatchObjects.of([Boxes(np.float32([[10, 10, 30, 50]]), np.zeros(1, np.int64))])
    corners = torch.tensor([[[0.0, 0, 20, 30], [20.0, 30, 40, 60], [20.0, 0, 40, 30], [0.0, 30, 19, 60]]])  # a quarter each
    for count, expected in ((1, (True, False)), (2, (True, True)), (4, (True, True))):
        found = objects.covered(corners[:, :count], torch.ones(1, count, dtype=torch.bool))
        assert (bool(found.there[0, 0]), bool(found.crowd[0, 0])) == expected
    # the same half three times: half of it still shows
    found = objects.covered(torch.tensor([[[0.0, 0, 40, 29]] * 3]), torch.ones(1, 3, dtype=torch.bool))
    assert (bool(found.there[0, 0]), bool(found.crowd[0, 0])) == (True, True)
    found = objects.covered(torch.tensor([[[0.0, 0, 21, 49]] * 3]), torch.ones(1, 3, dtype=torch.bool))
    assert (bool(found.there[0, 0]), bool(found.crowd[0, 0])) == (True, True)


def neighbours() -> InMemoryImages:
    """An object to paste, with a small one in it, one that is partly in its crop, one mostly outside, a crowd, and one far away."""
    boxes = Boxes(
        np.float32([[40, 30, 80, 70], [50, 40, 60, 50], [70, 40, 88, 60], [75, 62, 125, 94], [30, 20, 60, 40], [2, 70, 20, 94]]),
        np.arange(6, dtype=np.int64),
        None,
        np.array([False, False, False, False, True, False]),
    )
    empty = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    return in_memory(np.full((2, *SIZE, 3), 60, np.uint8), (boxes, empty), 6)


def test_all_that_is_labelled_in_a_crop_comes_with_it() -> None:
    images = neighbours()
    content = torch.tensor([[0.0, 0, 128, 96]]).repeat(2, 1)
    source = CopyPaste(BatchObjects.of(images.boxes), content, images, AugmentPolicy(copy_paste=1.0))
    numbers = torch.zeros(1, DRAWS)
    # the first of the objects, one crop, at its own size, in the upper left corner
    numbers[0, 2 + 2 * CROPS] = float(np.log(2) / np.log(3))
    crops = source.crops(torch.tensor([1]), content[:1], SIZE, numbers)
    assert crops.on.tolist() == [[True, False, False]]
    assert crops.index[0, 0] == 0
    found = source.objects(BatchObjects.of(images.boxes[1:]), crops, SIZE).boxes(0)
    assert found.crowd is not None
    # it reaches from 40, 30 to 80, 70 in its image, moved by -40, -30, and is opaque for two pixels more
    expected = {
        0: ([0, 0, 40, 40], False),
        1: ([10, 10, 20, 20], False),
        2: ([30, 10, 42, 30], True),
        3: ([35, 32, 42, 42], True),
        4: ([0, 0, 20, 10], True),
    }
    assert found.class_id.tolist() == list(expected)
    for box, crowd, (place, ignored) in zip(found.xyxy, found.crowd, expected.values(), strict=True):
        np.testing.assert_allclose(box, place, atol=1e-3)
        assert bool(crowd) == ignored


def test_only_whole_and_certain_objects_are_pasted(way: str) -> None:
    images = painted(6)
    for number, box in enumerate(([0, 20, 30, 50], [60, 40, 65, 60], [60, 40, 90, 60])):  # cut off, too small, a crowd
        boxes = Boxes(np.float32([box]), np.array([number], np.int64), None, np.array([number == 2]))
        images = dataclasses.replace(images, boxes=(*images.boxes[:number], boxes, *images.boxes[number + 1 :]))
    seen: set[int] = set()
    for seed in range(8):
        truth = batch(images, "none?copy_paste=1", way, seed=seed)[1]
        for row in range(6):
            seen |= set(truth.class_id[row][truth.real[row] | truth.crowd[row]].tolist()) - {row}
    assert seen == {3, 4, 5}


def test_without_an_object_to_paste_images_stay_as_they_are(way: str) -> None:
    images = painted(4, crowd=True)
    shown, truth = batch(images, "none?copy_paste=1", way)
    np.testing.assert_allclose(shown, images.images, atol=1e-3)
    assert truth.crowd.sum() == 4
    assert not truth.real.any()


def test_objects_come_from_images_that_label_the_same_classes(way: str) -> None:
    images = painted(8)
    labelled = np.ones((8, 8), np.bool_)
    labelled[4:, 7] = False
    images = dataclasses.replace(images, labelled=labelled)
    found = set()
    for seed in range(4):
        truth = batch(images, "none?copy_paste=1", way, seed=seed)[1]
        found |= {(row < 4, int(kind) < 4) for row in range(8) for kind in truth.class_id[row][truth.real[row]]}
    assert found == {(True, True), (False, False)}


def test_objects_stay_out_of_the_bars_of_a_letterbox(way: str) -> None:
    images = painted(16)
    images.images[:, :, 80:] = GROUND
    images.images[:, :, :80][images.images[:, :, :80] == GROUND] = 113
    shown, truth = batch(images, "none?copy_paste=1", way)
    np.testing.assert_allclose(shown[:, :, 90:], GROUND, atol=1e-3)
    brought = truth.real & (truth.class_id != torch.arange(16)[:, None])
    assert truth.xyxy[..., 2][brought].max() <= 80.001


def test_sizes_are_jittered_and_bounded(way: str) -> None:
    images = painted(24)
    sizes = np.stack([(boxes.xyxy[0, 2:] - boxes.xyxy[0, :2]) for boxes in images.boxes])
    ratios = []
    for seed in range(3):
        truth = batch(images, "none?copy_paste=1", way, seed=seed)[1]
        for row in range(24):
            for box, kind in zip(truth.xyxy[row][truth.real[row]], truth.class_id[row][truth.real[row]], strict=True):
                if kind != row:
                    side = (box[2:] - box[:2]).numpy()
                    assert (side <= np.array(SIZE[::-1]) * LARGEST + 1e-3).all()
                    ratios.append(float((side / sizes[kind]).max()))
    assert min(ratios) < 0.65
    assert 1.3 < max(ratios) < 1.5001
    assert min(sizes.min(1)) * 0.5 >= SMALLEST


def test_the_probability_is_that_of_images(way: str) -> None:
    images = painted(60)
    truth = batch(images, "none?copy_paste=0.4", way)[1]
    changed = int((truth.real.sum(1) > 1).sum())
    assert 12 <= changed <= 36


def test_the_last_epochs_paste_nothing(way: str) -> None:
    images = painted(6)
    shown, truth = batch(images, "none?copy_paste=1", way, epoch=9)
    np.testing.assert_allclose(shown, images.images, atol=1e-3)
    assert truth.real.sum() == 6


def test_the_same_seed_gives_the_same_images(way: str) -> None:
    images = painted(6)
    first, again, other = (batch(images, "standard?copy_paste=0.8", way, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_images_in_memory_are_never_changed(way: str) -> None:
    images = painted(6)
    before = images.images.copy()
    batch(images, "none?copy_paste=1", way)
    assert np.array_equal(images.images, before)


def test_an_image_does_not_depend_on_its_batch() -> None:
    images = painted(6)
    card = new_card("edgedet", {"size": SIZE, "classes": 6}, tuple("abcdef"))
    made = DetectionObjective(images, card.preprocess, config("standard?copy_paste=1"), 8.0)
    whole, alone = made.batch(np.arange(6), 3)[0], made.batch(np.array([4]), 3)[0]
    assert torch.equal(whole[4], alone[0])


@pytest.mark.parametrize("augment", ["light", "standard", "strong"])
def test_policies_without_it_are_as_before(augment: str) -> None:
    images = painted(6)
    card = new_card("edgedet", {"size": SIZE, "classes": 6}, tuple("abcdef"))
    plain, off = (
        DetectionObjective(images, card.preprocess, config(text), 8.0).batch(np.arange(6), 0)[0]
        for text in (augment, f"{augment}?copy_paste=0")
    )
    assert torch.equal(plain, off)
    assert parse_policy(augment, "detect").copy_paste == 0


def test_both_ways_paste_the_same_pixels() -> None:
    """The same random numbers give the same image and the same boxes in a process and on the device."""
    images = painted(8, each=2)
    labels = tuple("abcdefgh")
    card = new_card("edgedet", {"size": SIZE, "classes": 8}, labels)
    one = DetectionObjective(images, card.preprocess, config("none?copy_paste=1&flip=0.5"), 8.0)
    all_numbers = torch.rand(8, DRAWS, generator=torch.Generator().manual_seed(0))
    source = one._copy_paste
    assert source is not None
    region = torch.tensor([[0.0, 0, 128, 96]]).repeat(8, 1)
    crops = source.crops(torch.arange(8), region, SIZE, all_numbers)
    placed = DeviceImages.place(images, card.preprocess, "cpu")
    canvas = CanvasMotion(SIZE, torch.eye(3).repeat(8, 1, 1))
    layout = placed.whole(torch.arange(8), canvas)
    inputs = placed.sample(layout, SIZE, None, crops)
    shown = (inputs.permute(0, 2, 3, 1) * placed.std + placed.mean).numpy()
    for row in range(8):
        own = dataclasses.replace(
            crops, **{item.name: getattr(crops, item.name)[row : row + 1] for item in dataclasses.fields(crops)}
        )
        image = paste_into_image(images.images[row], images.images, own)
        assert np.abs(image - shown[row]).max() < 9  # OpenCV interpolates in steps of 1/32 of a pixel


def test_groups_without_members_draw_nothing() -> None:
    labelled = np.array([[True, False], [True, True], [True, False]])
    groups = LabelGroups(labelled, np.array([False, True, False]))
    assert groups.some(torch.arange(3)).tolist() == [False, True, False]
    assert groups.draw(torch.tensor([1]), torch.tensor([[0.0, 0.99]])).tolist() == [[1, 1]]


def test_the_card_records_it_and_wrong_values_are_one_line() -> None:
    assert parse_policy("strong?copy_paste=0.3", "detect").record()["copy_paste"] == 0.3
    with pytest.raises(InputError, match=r"'1.5' is not a value for copy_paste; give a number of 0..1"):
        parse_policy("strong?copy_paste=1.5", "detect")
    for task in ("pose", "segment", "classify"):
        with pytest.raises(InputError, match=rf"copy_paste is for detectors, .* task {task}; leave copy_paste out"):
            parse_policy("light?copy_paste=0.5", task)
        assert parse_policy("light?copy_paste=0", task).copy_paste == 0
