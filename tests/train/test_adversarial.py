from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edgecnn.card import Preprocess
from edgecnn.errors import InputError
from edgecnn.models import read_card
from edgecnn.train.adversarial import AdversarialObjective, Adversary, ascend, parse_adversary, step_size
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train

GRAY = Preprocess(size=(4, 4), color="gray", mean=(10.0,), std=(50.0,))


class Sum(nn.Module):
    """Sees whether a pixel grows: its logit of class 1 is the weighted sum of all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0, 0.5, 1.0]] * 4))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        total = (self.norm(x)[:, 0] * self.weight).sum((1, 2))
        return torch.stack([-total, total], 1)


class Fixed:
    """One batch of two images."""

    def __len__(self) -> int:
        return 2

    def batch(self, indices: Any, epoch: int) -> tuple[Tensor, Tensor]:
        pixels = torch.tensor([0.0, 3.0, 100.0, 255.0]).repeat(2, 1, 4, 1)
        return (pixels - 10) / 50, torch.tensor([0, 1])

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(inputs), truth)


def test_one_step_without_a_random_start_is_the_fast_gradient_sign_method() -> None:
    pixels = torch.tensor([[0.0, 100.0, 254.0]])
    weight = torch.tensor([-1.0, 1.0, 3.0])
    moved = ascend(lambda x: (x * weight).sum(), pixels, pixels, 8, 1, 8)
    assert moved.tolist() == [[0.0, 108.0, 255.0]]


def test_steps_find_the_highest_loss_within_the_strength() -> None:
    pixels = torch.full((1, 2), 100.0)
    # highest at 103 and, beyond the strength, at 150
    moved = ascend(lambda x: -((x - torch.tensor([103.0, 150.0])) ** 2).sum(), pixels, pixels, 8, 50, 0.5)
    assert moved[0].tolist() == pytest.approx([103.0, 108.0], abs=0.5)


def test_the_loss_is_that_of_attacked_images_and_averages_do_not_see_the_attack() -> None:
    torch.manual_seed(0)
    model, own = Sum().train(), Fixed()
    model.norm.requires_grad_(False).eval()  # a frozen layer stays frozen
    objective = AdversarialObjective(own, GRAY, Adversary(8, 4))
    inputs, truth = objective.batch(np.array([0, 1]), 0)
    found = objective.loss(model, inputs, truth)
    assert found > own.loss(model, inputs, truth) + 0.1
    *_, attacked, clean = model.seen
    change = (attacked - clean) * 50
    assert change.abs().max() == pytest.approx(8, abs=1e-3)
    assert ((attacked * 50 + 10) > -1e-3).all()
    assert ((attacked * 50 + 10) < 255.001).all()
    # image 0 is of class 0: raised where the weight of class 1 is positive, but for the pixel that is white already
    assert np.sign(np.round(change[0, 0, 0].numpy(), 2)).tolist() == [1, -1, 1, 0]
    assert model.training
    assert not model.norm.training
    assert model.norm.num_batches_tracked == 0


def test_averages_of_batch_norms_see_one_forward_pass() -> None:
    model = Sum().train()
    objective = AdversarialObjective(Fixed(), GRAY, Adversary(8, 4))
    objective.loss(model, *objective.batch(np.array([0, 1]), 0)).backward()  # type: ignore[no-untyped-call]
    assert model.norm.num_batches_tracked == 1
    assert model.weight.grad is not None


def test_steps_reach_the_border() -> None:
    for steps in (1, 2, 7, 40):
        assert step_size(8, steps) * steps >= 8


def options(data: Path, out: Path, **changes: Any) -> TrainConfig:
    base: dict[str, Any] = {"epochs": 4, "batch": 32, "ema": 0.9, "workers": 1, "model_options": {"hidden": 16}, "limit": 96}
    return TrainConfig(model="mlp", data=(str(data),), out=out, flip=False, **{**base, **changes})


def test_a_stopped_adversarial_training_goes_on_bit_for_bit(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = options(digits, tmp_path / "whole", adversarial="16:2")
    train(wanted, lambda _: None)
    record = read_card(tmp_path / "whole/model.safetensors").training
    assert record["adversarial_training"] == {"eps_grey_levels": 16.0, "steps": 2}
    assert "--adversarial 16:2" in record["command"]
    stopped = dataclasses.replace(wanted, out=tmp_path / "stopped")

    def stop(line: str) -> None:
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(stopped, stop)
    with pytest.raises(InputError, match="was started with adversarial '16:2', not ''"):
        train(dataclasses.replace(stopped, adversarial="", resume=True), lambda _: None)
    train(dataclasses.replace(stopped, resume=True), lambda _: None)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    train(options(digits, tmp_path / "plain"), lambda _: None)
    assert "adversarial_training" not in read_card(tmp_path / "plain/model.safetensors").training
    assert not torch.equal(
        first["layers.0.weight"] if "layers.0.weight" in first else next(iter(first.values())),
        next(iter(load_file(tmp_path / "plain/model.safetensors").values())),
    )


@pytest.mark.parametrize(
    ("text", "task", "problem"),
    [
        ("strong", "classify", "'strong' is not EPS"),
        ("8:x", "classify", "'8:x' is not EPS"),
        ("0", "classify", "out of range"),
        ("8:0", "classify", "out of range"),
        ("nan", "classify", "out of range"),
        ("8", "detect", "trains classifiers"),
    ],
)
def test_what_is_no_strength_is_refused(text: str, task: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_adversary(text, task)


def test_the_strength_is_read() -> None:
    assert parse_adversary("8", "classify") == Adversary(8.0, 3)
    assert parse_adversary("0.5:7", "classify") == Adversary(0.5, 7)
    assert parse_adversary("", "detect") is None
