"""Training of masks and key points: targets, losses and augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgecnn.models.new_card import new_card
from edgecnn.models.registry import create
from edgecnn.postprocess.centres import centres
from edgecnn.train.augment import Augmenter
from edgecnn.train.augment_policy import AugmentPolicy
from edgecnn.train.pose import centre_loss, mirror_order, offset_loss, pose_targets
from edgecnn.train.segment import segmentation_loss
from edgecnn.types import NO_CLASS

KEYS = ("rim", "rim left", "rim right", "foot")


def test_targets_of_key_points_are_what_the_decoder_reads() -> None:
    points = np.float32(
        [[[30, 20, 2], [20, 21, 2], [41, 22, 1], [33, 45, 2]], [[90, 60, 2], [80, 60, 2], [100, 60, 2], [90, 80, 2]]]
    )
    card = new_card("edgepose", {"size": (96, 128)}, KEYS)
    centre, offset, _ = pose_targets(points, np.zeros(2, bool), (96, 128), float(card.decode.options["reach"]) * 128)
    found = centres({"centres": centre[None], "offsets": offset[None]}, card)
    assert found.score.tolist() == [1, 1]
    order = np.argsort(found.points[:, 0, 0])
    np.testing.assert_allclose(found.points[order, :, :2], points[..., :2], atol=1e-3)


def test_key_points_without_a_label_and_crowds_have_no_loss() -> None:
    points = np.float32(
        [[[30, 20, 2], [20, 21, 0], [41, 22, 2], [33, 45, 2]], [[90, 60, 2], [80, 60, 2], [100, 60, 2], [90, 80, 2]]]
    )
    centre, _, weight = pose_targets(points, np.array([False, True]), (96, 128), 64.0)
    assert weight.max((1, 2)) == pytest.approx(64 / 25 * np.array([1, 1, 0, 0, 1, 1, 1, 1]))  # the object is 25 pixels tall
    assert (centre == 1).sum() == 1
    assert (centre == -1).any()
    assert weight[:, 15:, 20:].max() == 0


def test_an_error_counts_by_the_size_of_its_object() -> None:
    shape = np.float32([[10, 0, 2], [0, 0, 2], [20, 0, 2], [10, 10, 2]])
    losses = []
    for grow in (1, 2):
        _, offset, weight = (
            torch.from_numpy(part) for part in pose_targets(shape[None] * grow, np.zeros(1, bool), (96, 128), 64.0)
        )
        losses.append(float(offset_loss(offset + 1 / 64, offset, weight)))  # each key point is one pixel away in x and in y
    assert losses == pytest.approx([1 / 20, 1 / 40])


def test_the_losses_are_least_at_the_truth() -> None:
    target = torch.zeros(1, 1, 4, 4)
    target[..., 1, 2] = 1
    right = torch.where(target == 1, 9.0, -9.0)
    assert centre_loss(right, target) < 0.01
    assert centre_loss(-right, target) > 5
    weight = torch.tensor([[[[2.0, 0.0]]]])
    assert offset_loss(torch.tensor([[[[0.5, 9.0]]]]), torch.tensor([[[[0.25, 0.0]]]]), weight) == pytest.approx(0.5)
    truth = torch.tensor([[[0, 1], [1, NO_CLASS]]])
    logits = 20.0 * torch.nn.functional.one_hot(truth.clamp(max=1), 2).permute(0, 3, 1, 2)
    assert segmentation_loss(logits, truth) < 1e-3
    logits[..., 1, 1] = torch.tensor([99.0, -99.0])  # where no class counts
    assert segmentation_loss(logits, truth) < 1e-3
    assert segmentation_loss(-logits, truth) > 1


def test_left_and_right_change_places_in_a_mirror() -> None:
    assert mirror_order(KEYS) == [0, 2, 1, 3]
    assert mirror_order(("left_eye", "right_eye", "nose")) == [1, 0, 2]


def test_masks_and_points_move_with_the_image() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:15, 10:30] = 255
    mask = (image[..., 0] > 0).astype(np.uint8)
    augmenter = Augmenter(AugmentPolicy(flip=0.5, scale=0.3, rotate=20, shift=0.1), (40, 60), 3)
    seen = set()
    for seed in range(12):
        changed, moved = augmenter.with_mask(image, mask, seed)
        inside = moved != NO_CLASS
        assert ((changed[..., 0] > 127) == (moved == 1))[inside].mean() > 0.97
        _, points, mirrored = augmenter.with_points(image, np.float32([[20, 10]]), seed)
        seen.add(mirrored)
        x, y = np.clip(points[0].astype(int), 0, [59, 39])
        assert changed[y, x, 0] > 127 or not (0 <= points[0, 0] < 60 and 0 <= points[0, 1] < 40)
    assert seen == {False, True}


@pytest.mark.parametrize(("name", "labels"), [("edgeseg", ("background", "cup")), ("edgepose", KEYS)])
def test_a_new_card_describes_the_outputs_of_the_network(name: str, labels: tuple[str, ...]) -> None:
    options = {"size": (64, 96), "classes": len(labels)}
    card = new_card(name, options, labels)
    found = create(name, **options).eval()(torch.zeros(1, 3, 64, 96))
    shapes = [tuple(part.shape) for part in (found if isinstance(found, tuple) else (found,))]
    assert shapes == [spec.shape for spec in card.outputs]
