"""Cross-layer equalization (Nagel et al., Data-Free Quantization, arXiv:1906.04721, section 4.1).

A channel between two layers may be divided by any positive number in the first and multiplied by it in the second, if what lies between is
positively homogeneous, as ReLU is. The factors are chosen so that the weights of a channel have the same range in both layers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.fx import Node

from edgecnn.export.budget.weight_layers import CONVOLUTIONS, WeightLayer, exported, weight_layers
from edgecnn.export.graph import Deployable
from edgecnn.types import Tensors

HOMOGENEOUS = (
    torch.ops.aten.relu.default,
    torch.ops.aten.relu_.default,
    torch.ops.aten.leaky_relu.default,
    torch.ops.aten.leaky_relu_.default,
    torch.ops.aten.max_pool2d.default,
    torch.ops.aten.dropout.default,
)
PASSES = 3  # a layer in the middle of a chain is in two pairs


def equalized(graph: Deployable, feeds: Sequence[Tensors]) -> Deployable | None:
    """The same network with equal weight ranges in neighbouring convolutions; None where it has no such pair. Never modifies ``graph``."""
    (image,) = feeds[0].values()
    module = exported(graph, torch.from_numpy(image))
    pairs = [] if module is None else list(_pairs(list(weight_layers(module))))
    if not pairs:
        return None
    result = copy.deepcopy(graph)
    state = result.state_dict()
    with torch.no_grad():
        for _ in range(PASSES):
            for first, second in pairs:
                _equalize(first, second, state)
    return result


def _pairs(layers: Sequence[WeightLayer]) -> Iterator[tuple[WeightLayer, WeightLayer]]:
    by_node = {layer.node: layer for layer in layers if layer.node.target in CONVOLUTIONS}
    for first in by_node.values():
        second = by_node.get(_next_layer(first.end)) if first.groups in (1, _depth(first)) else None  # type: ignore[arg-type]
        if second is not None and second.groups in (1, _depth(second)):
            yield first, second


def _depth(layer: WeightLayer) -> int:
    """The number of groups of a depthwise convolution: all output channels."""
    return int(layer.node.meta["val"].shape[1])


def _next_layer(node: Node) -> Node | None:
    """The only reader of ``node`` behind homogeneous operators."""
    while len(node.users) == 1:
        (node,) = node.users
        if node.target not in HOMOGENEOUS:
            return node
    return None


def _equalize(first: WeightLayer, second: WeightLayer, state: dict[str, Tensor]) -> None:
    weights, readers = state[first.weight], state[second.weight]
    mine = weights.abs().amax((1, 2, 3)) * first.gain(state).abs()
    # depthwise: (C, 1, H, W), the channel is the first dimension
    theirs = readers.abs().amax((1, 2, 3) if second.groups > 1 else (0, 2, 3))
    if second.groups > 1 and len(theirs) != len(mine):
        return
    theirs = theirs * second.gain(state).abs() if second.groups > 1 else theirs
    factor = (mine / theirs).sqrt()
    factor = torch.where(torch.isfinite(factor) & (factor > 0), factor, torch.ones_like(factor))
    for name in first.norm[:2] if first.norm else (first.weight, first.bias):
        if name:
            state[name] /= factor.reshape(-1, *[1] * (state[name].ndim - 1))
    readers *= factor.reshape((-1, 1, 1, 1) if second.groups > 1 else (1, -1, 1, 1))
