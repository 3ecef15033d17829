"""Builds the dependency graph of a network for pruning: finds, ranks and removes coupled groups of channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.models.channel_graph import channel_graph, silent, torch_pruning
from edgecnn.models.quantized import QuantizedModel

PADDED = "ConstantPadNd"  # zero channels added beside the old ones: the graph can't map outputs to inputs through it


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels that are removed together: the layer that outputs them, their ``importance`` (n,), and torch-pruning's function."""

    name: str
    layer: nn.Module
    importance: Tensor
    prune_function: Any


class PruningGraph:
    """The dependency graph of ``model``, which is pruned in place; ``fixed`` are layers whose channels can't be pruned.

    These are the last layers, whose channels are the output, and those summed with a shortcut that pads channels. ``example`` is an
    input (1, C, H, W). ``taylor``: rank by the gradients in the parameters instead of by magnitude.
    Raises ``InputError`` for a network whose channels can't be traced or that has none to prune.
    """

    def __init__(self, model: nn.Module, example: Tensor, *, taylor: bool = False) -> None:
        tp = torch_pruning()
        if isinstance(model, QuantizedModel):
            raise InputError("the network is trained for int8 and can't be pruned", "prune first, and use --qat last")
        self._model = model.eval()
        importance = tp.importance.GroupTaylorImportance() if taylor else tp.importance.GroupMagnitudeImportance()
        places = {layer: name for name, layer in model.named_modules()}
        self.groups: list[ChannelGroup] = []
        fixed: list[str] = []
        with silent(), torch.enable_grad():
            example = example.to(next(model.parameters()).device)
            self._graph = channel_graph(self._model, example)
            for members in self._graph.get_all_groups():
                layer = members[0].dep.target.module
                if _must_stay(members):
                    fixed.append(places[layer])
                    continue
                found = importance(members)
                if found is not None:
                    self.groups.append(ChannelGroup(places[layer], layer, found.detach().cpu(), members[0].dep.handler))
        self.fixed = tuple(fixed)
        if not self.groups:
            raise InputError("the network has no channels that can be pruned", "prune another network")

    def min_channels(self, keep: float, round_to: int) -> dict[str, int]:
        """The fewest channels of each group: the fraction ``keep`` of those it has, as a multiple of ``round_to``."""
        return {group.name: _rounded(keep * len(group.importance), len(group.importance), round_to) for group in self.groups}

    def prune(self, fraction: float, min_channels: Mapping[str, int], round_to: int) -> None:
        """Remove the ``fraction`` 0..1 of all channels with the least importance, but keep ``min_channels`` of each group."""
        # One threshold for all groups: importance is relative to the mean of its group, so that groups can be compared, and wide,
        # redundant layers lose more channels than others.
        every = torch.cat([group.importance for group in self.groups]).sort().values
        limit = float(every[min(int(fraction * len(every)), len(every) - 1)]) if fraction < 1 else math.inf
        for group in self.groups:
            count = len(group.importance)
            keep = max(_rounded(int((group.importance >= limit).sum()), count, round_to), min(min_channels[group.name], count))
            if keep < count:  # argsort is ascending: the first channels are the least important
                self._remove(group, group.importance.argsort()[: count - keep].tolist())

    def _remove(self, group: ChannelGroup, channels: list[int]) -> None:
        with silent():
            members = self._graph.get_pruning_group(group.layer, group.prune_function, channels)
            if self._graph.check_pruning_group(members):  # False where a layer would be left without channels
                members.prune()


def _rounded(count: float, most: int, round_to: int) -> int:
    """``count`` rounded up to a multiple of ``round_to``, at least one such multiple, at most ``most``."""
    return min(max(math.ceil(count / round_to), 1) * round_to, most)


def _must_stay(members: Any) -> bool:
    """Whether a group is an output of the network, or passes through padding of channels."""
    return any(_is_end(item.dep.target) or PADDED in str(item.dep.target.name) for item in members) or _is_last(
        members[0].dep.target
    )


def _is_end(node: Any) -> bool:
    return type(node.module).__name__ == "_OutputOp"  # torch-pruning's node for an output of the network; a private class


def _is_last(node: Any) -> bool:
    """Whether no layer with weights follows the node."""
    todo, seen = list(node.outputs), set()
    while todo:
        found = todo.pop()
        if isinstance(found.module, nn.Conv2d | nn.Linear):
            return False
        if found not in seen:
            seen.add(found)
            todo += found.outputs
    return True
