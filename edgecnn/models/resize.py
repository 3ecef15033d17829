"""Resizes the layers of a network to the channel counts of stored tensors, which restores a pruned network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def resize(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give each convolution, batch-norm and dense layer of ``model`` the channels of its tensors in ``weights``.

    Only channels change: kernel sizes, strides and the data flow stay. Layers whose tensors are missing or of another kind are left
    for the caller to report. Whether the layers fit each other shows when the network is run.
    """
    for name, layer in model.named_modules():
        weight = weights.get(f"{name}.weight")
        if weight is None:
            continue
        if isinstance(layer, nn.Conv2d) and weight.ndim == 4:
            _convolution(layer, weight)
        elif isinstance(layer, nn.BatchNorm2d) and weight.ndim == 1:
            _norm(layer, len(weight))
        elif isinstance(layer, nn.Linear) and weight.ndim == 2:
            layer.out_features, layer.in_features = weight.shape
            _renew(layer, weight.shape)


def _convolution(layer: nn.Conv2d, weight: Tensor) -> None:
    """A depthwise convolution keeps its number of filters per channel, any other its number of groups."""
    # weight is (out, in / groups, h, w): a depthwise one always has 1 in the second place, so its groups follow from the first
    if layer.groups == layer.in_channels and layer.groups > 1:
        layer.groups = max(len(weight) // (layer.out_channels // layer.groups), 1)
    layer.out_channels, layer.in_channels = weight.shape[0], weight.shape[1] * layer.groups
    _renew(layer, (weight.shape[0], weight.shape[1], *layer.weight.shape[2:]))


def _norm(layer: nn.BatchNorm2d, channels: int) -> None:
    layer.num_features = channels
    _renew(layer, (channels,))
    for name, value in (("running_mean", 0.0), ("running_var", 1.0)):
        if getattr(layer, name) is not None:
            layer.register_buffer(name, torch.full((channels,), value))


def _renew(layer: nn.Conv2d | nn.BatchNorm2d | nn.Linear, shape: tuple[int, ...]) -> None:
    # zeros: the stored tensors are loaded next
    layer.weight = nn.Parameter(torch.zeros(shape))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.zeros(shape[0]))
