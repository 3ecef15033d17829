"""Grad-CAM: the maps of the last convolution, weighted by their mean gradients (Selvaraju et al. 2017, arXiv:1610.02391)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.errors import InputError
from edgecnn.trust.attribution.target import Target
from edgecnn.trust.gradients.network import GradientNetwork
from edgecnn.types import Float32, Image

INSTEAD = "use --method integrated-gradients"


def grad_cam(network: GradientNetwork, image: Image, target: Target) -> Float32:
    """The map (h, w) float32 of the last convolution whose output has places, scaled up to the image.

    Raises ``InputError`` for a network without such a convolution, and for a detector: the mean over all places can't tell one object
    from another.
    """
    if network.is_detector:
        raise InputError("Grad-CAM averages over all places, so it can't explain one object of a detector", INSTEAD)
    maps = _last_maps(network, image, target)
    if maps is None:
        raise InputError(f"{network.card.name} has no convolution whose output has places, which Grad-CAM needs", INSTEAD)
    activation, slope = maps
    weights = slope.mean((2, 3), keepdim=True)
    coarse = torch.relu((weights * activation).sum(1))[0].numpy()
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _last_maps(network: GradientNetwork, image: Image, target: Target) -> tuple[Tensor, Tensor] | None:
    """Output (1, channels, h, w) of the last convolution that ran, and the gradient of the score with respect to it."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if min(output.shape[2:]) < 2:
            return output
        seen.append(output)
        return output.clone()  # a layer behind it may change its input in place

    hooks = [module.register_forward_hook(keep) for module in network.model.modules() if isinstance(module, nn.Conv2d)]
    try:
        x = network.tensor(image).requires_grad_(True)  # else nothing behind it has a gradient
        score = network.score(x, target).sum()
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        return None
    return seen[-1].detach(), torch.autograd.grad(score, seen[-1])[0]
