"""Computes the cost of a network: parameters, multiply-accumulates (MACs) of one image, size of its checkpoint."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.models import load_checkpoint
from edgecnn.models.fake_quant import FakeQuant, FusedLayer

COUNTED = (nn.Conv2d, nn.Linear, FusedLayer)


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """The cost of a checkpoint: number of ``parameters``, ``macs`` of one image, ``size_bytes`` of the file."""

    parameters: int
    macs: int
    size_bytes: int


def cost_of(checkpoint: Path) -> tuple[NetworkCost, ModelCard]:
    """The cost of a checkpoint, and its card; raises what ``load_checkpoint`` raises."""
    model, card = load_checkpoint(checkpoint)
    return NetworkCost(count_parameters(model), count_macs(model, example_input(card)), checkpoint.stat().st_size), card


def example_input(card: ModelCard) -> Tensor:
    """An input (1, C, H, W) for a network with this card."""
    return torch.zeros(1, card.preprocess.channels, *card.preprocess.size)


def count_parameters(model: nn.Module) -> int:
    """Number of trained parameters, without batch-norm statistics, which fold away, and without quantization ranges."""
    ends = {parameter for layer in model.modules() if isinstance(layer, FakeQuant) for parameter in layer.parameters()}
    return sum(parameter.numel() for parameter in model.parameters() if parameter not in ends)


def count_macs(model: nn.Module, example: Tensor) -> int:
    """MACs of the convolutions and linear layers for ``example`` (1, C, H, W).

    Nothing else is counted: batch-norm folds into convolutions on export, and sums, activations, pooling and resizing need next to no
    multiplications. A layer that is called twice counts twice.
    """
    total = 0

    def count(layer: Any, _: Any, output: Tensor) -> None:
        nonlocal total
        # from the shape of the output: strides and padding need no formula
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
    layer = layer.layer if isinstance(layer, FusedLayer) else layer
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    assert isinstance(layer, nn.Conv2d)
    return (
        output.numel() * layer.weight[0].numel()
    )  # weight[0] is one filter: the input channels of a group times the kernel area
