from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from edgecnn.card import Preprocess  # noqa: E402
from edgecnn.data import Boxes, Sample  # noqa: E402
from edgecnn.errors import InputError  # noqa: E402
from edgecnn.metrics.classmap import identity  # noqa: E402
from edgecnn.trust.attack.target import AttackTarget, target_of  # noqa: E402
from edgecnn.trust.gradients.adversary import GradientAttack  # noqa: E402
from tests.trust.attack.networks import card, dataset, halves  # noqa: E402

DETECTOR = card(Preprocess(size=(32, 32), color="rgb", mean=(0.0,), std=(255.0,), resize="stretch"), "detect", ("cup", "glass"))


class Halves(nn.Module):
    """The logits of ``halves``."""

    def forward(self, x: Tensor) -> Tensor:
        logit = (x[:, 0, :, 4:].mean((1, 2)) - x[:, 0, :, :4].mean((1, 2))) * 255 / 4
        return torch.stack([torch.zeros_like(logit), logit], 1)


class Bright(nn.Module):
    """A detector of 16 + 4 + 1 cells: each holds a cup as bright as its pixels, with a box of half a stride to each side."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        levels = [nn.functional.avg_pool2d(x.mean(1, keepdim=True), stride).flatten(1) for stride in (8, 16, 32)]
        logit = (torch.cat(levels, 1) - 0.5) * 20
        scores = torch.stack([logit.sigmoid(), torch.zeros_like(logit) + 0.01], 2)
        return torch.full((*logit.shape, 4), 0.5), scores


def targets() -> list[AttackTarget]:
    return [target_of(index, sample, card(), identity(2)) for index, sample in enumerate(dataset().samples)]


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_attacked_images_are_whole_grey_levels_within_the_strength_and_fool_the_network(method: str) -> None:
    found = GradientAttack(Halves(), card(), method, 5, 0)(targets(), 8)
    for index, (image, target) in enumerate(zip(found, targets(), strict=True)):
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - target.pixels).max() == 8
        assert halves(np.repeat(target.pixels, 3, 2)).top1 == index % 2  # type: ignore[attr-defined]
        assert halves(np.repeat(image, 3, 2)).top1 != index % 2  # type: ignore[attr-defined]


def test_an_attack_does_not_depend_on_the_other_images_but_on_the_seed() -> None:
    attack = GradientAttack(Halves(), card(), "pgd", 2, 5)
    whole, alone = attack(targets(), 3), attack(targets()[4:5], 3)
    assert np.array_equal(whole[4], alone[0])
    other = GradientAttack(Halves(), card(), "pgd", 1, 6)(targets(), 3)
    assert any(
        not np.array_equal(a, b) for a, b in zip(other, GradientAttack(Halves(), card(), "pgd", 1, 5)(targets(), 3), strict=True)
    )
    assert all(np.array_equal(image, target.pixels) for image, target in zip(attack(targets(), 0), targets(), strict=True))


def test_a_detector_no_longer_sees_the_true_object_and_the_rest_is_left() -> None:
    image = np.full((32, 32, 3), 140, np.uint8)
    sample = Sample("a", lambda: image, boxes=Boxes(np.float32([[8, 8, 16, 16]]), np.int64([0])))
    target = target_of(0, sample, DETECTOR, identity(2))
    found = GradientAttack(Bright(), DETECTOR, "pgd", 10, 0)([target], 16)[0]
    inside = found[8:16, 8:16].astype(int) - 140
    assert inside.mean() == -16
    # PGD starts at random, and no gradient moves what is elsewhere
    assert abs((found[20:, 20:].astype(int) - 140).mean()) < 4


def test_the_network_gets_the_colours_in_its_own_order() -> None:
    class Red(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logit = x[:, 0].mean((1, 2))
            return torch.stack([-logit, logit], 1)

    color = Preprocess(size=(8, 8), color="rgb", mean=(0.0,) * 3, std=(255.0,) * 3, resize="stretch")
    image = np.full((8, 8, 3), 100, np.uint8)
    own = card(color)
    target = target_of(0, Sample("a", lambda: image, label=1), own, identity(2))
    (found,) = GradientAttack(Red(), own, "fgsm", 1, 0)([target], 5)
    # red is the last channel of BGR; the others have no gradient
    assert np.unique(found.reshape(-1, 3), axis=0).tolist() == [[100, 100, 95]]


def test_images_without_objects_stay_near() -> None:
    sample = Sample(
        "a", lambda: np.full((32, 32, 3), 140, np.uint8), boxes=Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    )
    target = target_of(0, sample, DETECTOR, identity(2))
    assert np.array_equal(GradientAttack(Bright(), DETECTOR, "fgsm", 1, 0)([target], 4)[0], target.pixels)


def test_a_decoder_without_gradients_is_refused() -> None:
    import dataclasses

    from edgecnn.card import Decode

    other = dataclasses.replace(DETECTOR, decode=Decode("yolox"))
    with pytest.raises(InputError, match=r"decoder yolox are not supported; use --method square"):
        GradientAttack(Bright(), other, "pgd", 1, 0)
