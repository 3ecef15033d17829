"""Maps from the gradient of a score with respect to the input: the gradient itself, and integrated gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgecnn.trust.attribution.target import Target
from edgecnn.trust.gradients.network import GradientNetwork
from edgecnn.types import Float32, Image

STEPS, CHUNK = 32, 8


def gradient(network: GradientNetwork, image: Image, target: Target) -> Float32:
    """The largest magnitude over the channels of the gradient at each pixel, (h, w) float32 (Simonyan et al. 2014, arXiv:1312.6034)."""
    found = _gradients(network, network.tensor(image), target)
    return np.asarray(found[0].abs().amax(0).numpy(), np.float32)


def integrated_gradients(network: GradientNetwork, image: Image, target: Target, *, steps: int = STEPS) -> Float32:
    """Integrated gradients (h, w) float32, summed over the channels (Sundararajan et al. 2017, arXiv:1703.01365, eq. 1 and 3).

    The path leads from the image's mean colour to the image; the integral is taken at the middles of ``steps`` steps. The sum of the
    map is close to the difference of the scores at both ends.
    """
    x, start = network.tensor(image), baseline(network, image)
    shares = (torch.arange(steps, dtype=torch.float32) + 0.5) / steps
    total = torch.zeros_like(x)
    for part in torch.split(shares, CHUNK):
        between = start + part[:, None, None, None] * (x - start)
        total += _gradients(network, between, target, x).sum(0, keepdim=True)
    return np.asarray(((x - start) * total / steps)[0].sum(0).numpy(), np.float32)


def baseline(network: GradientNetwork, image: Image) -> Tensor:
    """The input tensor of an image that has the mean colour of ``image`` everywhere."""
    color = image.reshape(-1, 3).mean(0).round().astype(np.uint8)
    return network.tensor(np.broadcast_to(color, image.shape).copy())


def _gradients(network: GradientNetwork, x: Tensor, target: Target, last: Tensor | None = None) -> Tensor:
    """The gradient for each input; ``last`` is put behind them, because a detector's cell is that of the last one."""
    inputs = x.clone().requires_grad_(True)
    batch = inputs if last is None else torch.cat([inputs, last])
    score = network.score(batch, target)[: len(x)].sum()
    return torch.autograd.grad(score, inputs)[0]
