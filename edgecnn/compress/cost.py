"""What a network costs: parameters, multiply-accumulates of one image, bytes of its file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.models import load_checkpoint
from edgecnn.models.fake_quant import FakeQuant, Fused

COUNTED = (nn.Conv2d, nn.Linear, Fused)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one checkpoint: ``parameters``, ``macs`` of one image, ``bytes`` of the file."""

    parameters: int
    macs: int
    bytes: int


def cost_of(checkpoint: Path) -> tuple[Cost, ModelCard]:
    """What a checkpoint costs, and its card; raises what ``load_checkpoint`` raises."""
    model, card = load_checkpoint(checkpoint)
    return Cost(parameters(model), macs(model, example(card)), checkpoint.stat().st_size), card


def example(card: ModelCard) -> Tensor:
    """An input (1, C, H, W) for a network with this card."""
    return torch.zeros(1, card.preprocess.channels, *card.preprocess.size)


def parameters(model: nn.Module) -> int:
    """Numbers that are learnt; batch-norm statistics, which fold away, are none, nor are the ends of ranges."""
    ends = {parameter for layer in model.modules() if isinstance(layer, FakeQuant) for parameter in layer.parameters()}
    return sum(parameter.numel() for parameter in model.parameters() if parameter not in ends)


def macs(model: nn.Module, example: Tensor) -> int:
    """Multiply-accumulates of ``example`` (1, C, H, W) in convolutions and linear layers.

    Nothing else is counted: batch-norm folds into convolutions on export, and sums, activations, pooling and resizing multiply nothing
    or next to nothing. A layer that is called twice counts twice.
    """
    total = 0

    def count(layer: Any, _: Any, output: Tensor) -> None:
        nonlocal total
        total += _of_layer(layer, output)

    was_training = model.training
    with ExitStack() as stack, torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, COUNTED):
                stack.callback(layer.register_forward_hook(count).remove)
        model.eval()(example.to(next(model.parameters()).device))
    model.train(was_training)
    return total


def _of_layer(layer: nn.Module, output: Tensor) -> int:
    layer = layer.layer if isinstance(layer, Fused) else layer
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    assert isinstance(layer, nn.Conv2d)
    return output.numel() * layer.weight[0].numel()  # channels of one group times the kernel
