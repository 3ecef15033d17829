"""Bias correction (Nagel et al., Data-Free Quantization, arXiv:1906.04721, section 4.2).

Rounding weights shifts the mean of a layer's outputs by the rounding error times the mean input. The shift is subtracted from the bias.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from edgecnn.export.budget.weight_layers import WeightLayer, exported, weight_layers
from edgecnn.export.graph import Deployable
from edgecnn.types import Tensors

CODES = 127
IMAGES = 32  # the mean of a channel needs no more


def corrected(graph: Deployable, feeds: Sequence[Tensors]) -> Deployable | None:
    """The same network with biases that make up for weights of 8 bits; None where no layer has a bias. Never modifies ``graph``."""
    images = [torch.from_numpy(next(iter(feed.values()))) for feed in feeds[:IMAGES]]
    module = exported(graph, images[0])
    layers = [] if module is None else [layer for layer in weight_layers(module) if layer.bias or layer.norm]
    if module is None or not layers:
        return None
    means = _mean_inputs(module, layers, images)
    result = copy.deepcopy(graph)
    state = result.state_dict()
    with torch.no_grad():
        for layer in layers:
            shift = _shift(layer, state[layer.weight], means[layer.node])
            if layer.bias:
                state[layer.bias] -= shift
            elif layer.norm:
                state[layer.norm[1]] -= shift * layer.gain(state)
    return result


def _shift(layer: WeightLayer, weights: Tensor, mean: Tensor) -> Tensor:
    """The mean error of each output by rounded ``weights``, for inputs of ``mean`` (input channels)."""
    flat = weights.reshape(len(weights), -1)
    scale = flat.abs().amax(1).clamp_min(1e-30) / CODES
    error = ((flat / scale[:, None]).round() * scale[:, None] - flat).reshape(weights.shape)
    by_input = error.flatten(2).sum(2) if error.ndim > 2 else error
    outputs = len(weights) // layer.groups
    parts = mean.reshape(layer.groups, -1).repeat_interleave(outputs, 0)
    return (by_input * parts).sum(1)


def _mean_inputs(module: GraphModule, layers: Sequence[WeightLayer], images: Sequence[Tensor]) -> dict[Node, Tensor]:
    """The mean of each input channel of each layer over ``images``."""
    watcher = _InputWatcher(module, {layer.node for layer in layers})
    with torch.no_grad():
        for image in images:
            watcher.run(image)
    return {node: total / len(images) for node, total in watcher.totals.items()}


class _InputWatcher(Interpreter):
    """Adds up the mean inputs of some nodes."""

    def __init__(self, module: GraphModule, watched: set[Node]) -> None:
        super().__init__(module)
        self._watched = watched
        self.totals: dict[Node, Tensor] = {}

    def run_node(self, n: Node) -> Any:
        """Run one operator; the input of a watched one is noted."""
        if n in self._watched:
            (values, *_), _ = self.fetch_args_kwargs_from_env(n)
            # channels are the second dimension of a map, and the last one in front of a linear layer
            axes = (0, 2, 3) if values.ndim == 4 else tuple(range(values.ndim - 1))
            mean = values.mean(axes)
            self.totals[n] = self.totals[n] + mean if n in self.totals else mean
        return super().run_node(n)
