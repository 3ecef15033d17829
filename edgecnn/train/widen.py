"""Widens a trained network: more channels, the same outputs at first; Net2WiderNet of Chen et al. 2016, arXiv:1511.05641.

A new channel is a copy of an old one, and the layers that read both divide the old weight between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.models.channel_graph import channel_graph, silent

# of the weight of a channel that has copies: copies with equal weights would get equal gradients, and stay copies
LEAST_SHARE, MOST_SHARE = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class _Member:
    """A layer that makes or ``reads`` the channels of a group; a flattened channel is ``each`` values, 0 where channels can't be told."""

    name: str
    reads: bool
    each: int


def widened(model: nn.Module, old: nn.Module, example: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Tensors of ``model`` by name for its layers that have more channels than those of ``old``; empty where that can't be widened.

    Both are networks with the same layers. ``example`` (1, C, H, W) is an input of ``old``; ``seed`` chooses the channels that are
    copied. With these tensors and the other ones of ``old``, ``model`` computes in eval mode what ``old`` does; outputs of the network
    stay as they are. Raises ``MissingExtraError`` without torch-pruning, which finds the channels that belong together.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = dict(model.named_modules())
    outputs, inputs = dict[str, Tensor](), dict[str, Tensor]()  # by layer: the old channel of each new one
    for count, members in _groups(old, example):
        layer = layers.get(members[0].name)
        wanted = len(layer.weight) if isinstance(layer, nn.Conv2d | nn.Linear) else count
        if wanted == count or not any(member.reads for member in members):
            continue
        if wanted < count or not all(member.each for member in members):
            return {}
        copied = torch.randint(count, (wanted - count,), generator=generator)
        chosen = torch.cat([torch.arange(count), copied])
        for member in members:
            places = inputs if member.reads else outputs
            places[member.name] = (chosen[:, None] * member.each + torch.arange(member.each)).flatten()
    return _tensors(old.state_dict(), outputs, inputs, generator)


def _tensors(
    old: Mapping[str, Tensor], outputs: Mapping[str, Tensor], inputs: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    found = {}
    for key, tensor in old.items():
        layer, _, kind = key.rpartition(".")
        wide = tensor[outputs[layer]] if layer in outputs and tensor.ndim else tensor
        if layer in inputs and kind == "weight":
            chosen = inputs[layer]
            wide = wide[:, chosen] * _shares(chosen, generator).reshape(1, -1, *[1] * (wide.ndim - 2))
        if layer in outputs or layer in inputs:
            found[key] = wide
    return found


def _shares(chosen: Tensor, generator: torch.Generator) -> Tensor:
    """(n,): the share of each new channel in the weight of the old channel ``chosen`` (n,); those of one old channel sum to 1."""
    shares = LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * torch.rand(len(chosen), generator=generator)
    total = torch.zeros(int(chosen.max()) + 1).index_add_(0, chosen, shares)
    return shares / total[chosen]


def _groups(old: nn.Module, example: Tensor) -> Iterator[tuple[int, list[_Member]]]:
    """The layers that have channels in common, and the number of these; the first layer of each group makes them."""
    places = {layer: name for name, layer in old.named_modules()}
    try:
        graph = channel_graph(old.eval(), example)
    except InputError:  # it can't follow every network
        return
    with silent():
        groups = list(graph.get_all_groups())
    for group in groups:
        count = graph.get_out_channels(group[0].dep.target.module)
        members = []
        for item in group:
            name = places.get(item.dep.target.module)
            if name is not None:
                each = len(item.idxs) // count
                whole = list(item.idxs) == list(range(count * each))  # not where channels of several layers are concatenated
                # a norm and a depthwise convolution do both with their channels: they pass them on
                reads = not graph.is_out_channel_pruning_fn(item.dep.handler)
                members.append(_Member(name, reads, each if whole else 0))
        yield count, members
