"""Adversarial training: each batch is replaced by the worst images near it (Madry et al. 2018, arXiv:1706.06083, eq. 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.train.objective import Objective, image_order
from edgecnn.types import Array

DEFAULT_STEPS, MOST_STEPS = 3, 100
TASKS = ("classify",)
EXAMPLE = "give grey levels of 255 and the number of steps, such as --adversarial 8:3"


@dataclass(frozen=True, slots=True)
class Adversary:
    """The strength of the attack in training: at most ``eps`` grey levels of 255 at each pixel, found in ``steps`` steps."""

    eps: float
    steps: int = DEFAULT_STEPS

    @property
    def record(self) -> dict[str, Any]:
        """For the card: the images that the network was trained on."""
        return {"adversarial_training": {"eps_grey_levels": self.eps, "steps": self.steps}}


def parse_adversary(text: str, task: str) -> Adversary | None:
    """``EPS[:STEPS]``; None for "". Raises ``InputError`` for other text, and for a task that is not trained so."""
    if not text:
        return None
    eps, _, steps = text.partition(":")
    try:
        found = Adversary(float(eps), int(steps or DEFAULT_STEPS))
    except ValueError:
        raise InputError(f"--adversarial: {text!r} is not EPS[:STEPS]", EXAMPLE) from None
    if not 0 < found.eps <= 255 or not 1 <= found.steps <= MOST_STEPS:
        raise InputError(f"--adversarial: {text} is out of range (above 0 to 255, 1 to {MOST_STEPS} steps)", EXAMPLE)
    if task not in TASKS:
        raise InputError(f"--adversarial trains classifiers, but this is a model to {task}", "leave --adversarial out")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class AdversarialObjective:
    """The objective ``own``, whose loss is that of attacked images; random numbers are PyTorch's, which are seeded by epoch."""

    own: Objective
    preprocess: Preprocess
    adversary: Adversary

    def __len__(self) -> int:
        return len(self.own)

    def order(self, draw: np.random.Generator) -> Array:
        """The images of an epoch, as the own objective orders them."""
        return image_order(self.own, draw)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Any]:
        """The clean batch: it is attacked where the network is, in ``loss``."""
        return self.own.batch(indices, epoch)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Any) -> Tensor:
        """The loss of the attacked batch."""
        # without DistributedDataParallel, which would wait for gradients of weights that the attack does not compute
        network = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
        shape = (1, -1, 1, 1)
        mean, std = (
            torch.tensor(values, device=inputs.device).view(shape) for values in (self.preprocess.mean, self.preprocess.std)
        )
        pixels = inputs * std + mean
        eps, steps = self.adversary.eps, self.adversary.steps
        start = pixels + (torch.rand_like(pixels) * 2 - 1) * eps
        with in_eval_mode(network):
            attacked = ascend(
                lambda moved: self.own.loss(network, (moved - mean) / std, truth),
                pixels,
                start,
                eps,
                steps,
                step_size(eps, steps),
            )
        return self.own.loss(model, (attacked - mean) / std, truth)


def adversarial(own: Objective, card: ModelCard, adversary: Adversary | None) -> Objective:
    """``own``, under attack where there is an adversary."""
    return own if adversary is None else AdversarialObjective(own, card.preprocess, adversary)


def step_size(eps: float, steps: int) -> float:
    """2.5 eps / steps reaches every point of the ball (Madry et al. 2018); one step from a random start has 1.25 eps (Wong et al.
    2020, arXiv:2001.03994).
    """
    return 1.25 * eps if steps == 1 else 2.5 * eps / steps


def ascend(
    loss: Callable[[Tensor], Tensor], pixels: Tensor, start: Tensor, eps: float | Tensor, steps: int, step: float
) -> Tensor:
    """Images (B, C, H, W) near ``pixels`` with a high ``loss``, by ``steps`` of ``step`` along the sign of the gradient.

    Projected gradient descent (Madry et al. 2018, arXiv:1706.06083): after each step, no pixel differs by more than ``eps``, which is
    broadcast, and none leaves 0..255. With one step from ``pixels`` itself it is the fast gradient sign method (Goodfellow et al. 2015,
    arXiv:1412.6572).
    """
    low, high = (pixels - eps).clamp(min=0), (pixels + eps).clamp(max=255)
    moved = start.clamp(low, high)
    for _ in range(steps):
        moved = moved.detach().requires_grad_(True)
        gradient = torch.autograd.grad(loss(moved), moved)[0]
        moved = (moved.detach() + step * gradient.sign()).clamp(low, high)
    return moved.detach()


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """A block in which batch-norms use their averages, and keep them as they are."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
