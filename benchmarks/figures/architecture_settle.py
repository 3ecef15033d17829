"""Makes a random network behave like a trained one: without it its values vanish or grow from layer to layer, which no precision holds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.scene import Scene, parse_scene

COUNT = 24  # images for the statistics of the batch norms
SHARE = 0.3  # mean scale of a branch that starts at nothing
LITTLE = 1e-2
GAIN = 0.5  # of the batch norms in networks with SiLU


def settle(network: nn.Module, size: int) -> None:
    """Scale each batch norm by what it meets on pictures of the scene (as LSUV, arXiv:1511.06422), and let no branch start at nothing.

    One scale for all channels of a layer: with a mean and a variance for each, the small differences between images are made large in
    layer after layer, and a rounding error with them (MobileOne-S0 in fp16: 60 times more error).
    Many networks begin with branches of scale zero (the last batch norm of a residual block, "layer scale" of 1e-6), which a training
    then opens. A converter would leave them out.
    """
    _open_branches(network)
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if any(isinstance(module, nn.SiLU) for module in network.modules()):
        # SiLU makes small values smaller: over 50 layers one image then gives a thousand times the values of another
        for norm in norms:
            nn.init.constant_(norm.weight, float(norm.weight.detach().mean()) * GAIN)
    hooks = [norm.register_forward_pre_hook(_take_scale) for norm in norms]
    with torch.no_grad():
        network.eval()(pictures(COUNT, size))
    for hook in hooks:
        hook.remove()


def _take_scale(norm: nn.modules.batchnorm._BatchNorm, inputs: tuple[Tensor, ...]) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(float(inputs[0].square().mean()))


def _open_branches(network: nn.Module) -> None:
    """Give scales that are next to nothing values around ``SHARE``: those of batch norms and, with one number per channel, of layers."""
    for module in network.modules():
        for name, scale in module.named_parameters(recurse=False):
            is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
            is_scale = name != "bias" and (is_norm or scale.squeeze().ndim == 1)
            if is_scale and float(scale.detach().abs().max()) < LITTLE:
                nn.init.uniform_(scale, SHARE / 2, SHARE * 1.5)


def pictures(count: int, size: int) -> Tensor:
    """Frames of the scene, (count, 3, size, size), normalised; brightness, contrast and colour vary as much as in photographs.

    Noise is no substitute: a random EfficientNet-B0 with statistics of noise gives values of 500 for a photograph.
    """
    scene = Scene(parse_scene(f"scene:cups?size={size}x{size}"))
    frames = np.stack([scene.render(number * 977)[0][..., ::-1] for number in range(count)]).astype(np.float32)
    images = (torch.from_numpy(frames) / 255 - 0.45) / 0.225
    images = images.permute(0, 3, 1, 2)
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * (0.4 + 1.2 * torch.rand(count, 1, 1, 1)) + 0.5 * torch.randn(count, 3, 1, 1)
