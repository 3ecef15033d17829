"""Fake quantization: simulates int8 rounding in floating point, with gradients, for quantization-aware training.

Weights: symmetric, per output channel, scale = largest magnitude / 127, the grid that every converter computes too. Activations: 256
levels per tensor in a trained range that contains zero as a level. The gradient of the rounding is the straight-through estimator;
that of the range is as in learned step sizes (LSQ: Esser et al. 2019, arXiv:1902.08153) and learned clipping (PACT: arXiv:1805.06085).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS, MAX_WEIGHT = 255, 127  # uint8 has 256 levels, 255 steps apart; -128 is unused, which keeps the weights symmetric
MOMENTUM = 0.01  # of the moving range of an output
EPSILON = 1e-8  # lower bound of a range or scale: avoids a division by zero for all-zero activations or filters


def round_ste(x: Tensor) -> Tensor:
    """Round with the straight-through estimator: the gradient is that of the identity."""
    # the forward value is exactly x.round(): the difference of two floats this close has no rounding error (Sterbenz), nor has the sum
    return x + (x.round() - x).detach()


def fake_weight(weight: Tensor) -> Tensor:
    """``weight`` (out, ...) rounded to the symmetric int8 grid of each output channel."""
    scale = (weight.detach().abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / MAX_WEIGHT).clamp_min(EPSILON)
    return round_ste(weight / scale) * scale


class FakeQuant(nn.Module):
    """Rounds an activation to 256 levels of one range for all channels; with ``active`` False it returns the input unchanged.

    The range is ``range`` times exp(``stretch``), so that a training step changes it by a relative amount. Its minimum is 0 after a ReLU
    and stays 0. The range of an output (``is_output``, after the last weights) is not trained but follows the minimum and maximum: only
    some formats round there, and a range that clips would make the others differ.
    """

    range: Tensor
    active: bool

    def __init__(self, *, is_output: bool = False) -> None:
        super().__init__()
        self.is_output = is_output
        self.register_buffer("range", torch.tensor([0.0, 1.0]))
        self.stretch = nn.Parameter(torch.zeros(2))
        self.active = True

    def set(self, low: float, high: float) -> None:
        """Set the initial range, widened to contain zero."""
        self.range.copy_(torch.tensor([min(low, 0.0), max(high, 0.0)]))
        if float(self.range[1] - self.range[0]) < EPSILON:
            self.range[1] = EPSILON
        self.stretch.data.zero_()

    def fix(self) -> None:
        """Fold the trained ``stretch`` into ``range``."""
        with torch.no_grad():
            self.range.mul_(self.stretch.exp())
            self.stretch.zero_()

    def ends(self) -> tuple[float, float]:
        """The lowest and highest level as real numbers, computed from the same scale and zero-point as in ``forward``."""
        with torch.no_grad():
            low, high = self.range * self.stretch.exp()
            scale = (high - low) / STEPS
            zero, step = float((-low / scale).round()), float(scale)
        return -zero * step, (STEPS - zero) * step

    def forward(self, x: Tensor) -> Tensor:
        """The rounded activation of the same shape, in single precision also under autocast."""
        if not self.active:
            return x
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.is_output and self.training:
                self._follow(x)
            low, high = self.range * _scale_gradient(self.stretch, x.numel()).exp()
            scale = (high - low) / STEPS
            zero = (-low / scale).detach().round()  # an integer zero-point: real zero is exactly a level, as padding needs it
            # minimum and maximum, unlike clamp with detached bounds, pass the gradient of clipped values on to the range
            inside = torch.maximum(torch.minimum(x, high), low)
            # the rounded zero-point shifts the grid by up to half a step, so clipped values may round to a level outside of it
            result: Tensor = round_ste(inside / scale).clamp(-zero, STEPS - zero) * scale
            return result

    def _follow(self, x: Tensor) -> None:
        """Widen the range at once to the minimum and maximum of ``x``, and shrink it towards them by a hundredth of the difference."""
        with torch.no_grad():
            seen = torch.stack([x.min().clamp_max(0), x.max().clamp_min(0)])
            inner = self.range + MOMENTUM * (seen - self.range)
            self.range.copy_(torch.stack([torch.minimum(inner[0], seen[0]), torch.maximum(inner[1], seen[1])]))


def _scale_gradient(parameter: Tensor, count: int) -> Tensor:
    """The same value with a gradient scaled by 1 / sqrt(count * steps), independent of the number of activations: LSQ, section 2.2."""
    factor = 1 / math.sqrt(count * STEPS)
    return parameter * factor + (parameter * (1 - factor)).detach()


class FusedLayer(nn.Module):
    """A convolution or dense layer with its batch-norm folded in, as it is exported, and weights on the int8 grid.

    Mean and variance of the norm are frozen, since the exported file uses them; its scale and shift are trained (Krishnamoorthi 2018,
    arXiv:1806.08342, section 3.2.2). Without ``active`` the weights are not rounded.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | None) -> None:
        super().__init__()
        self.layer, self.norm, self.active = layer, norm, True

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias with the batch-norm folded in, not rounded."""
        weight, bias, norm = self.layer.weight, self.layer.bias, self.norm
        if norm is None:
            return weight, bias
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = torch.rsqrt(norm.running_var + norm.eps) * (1 if norm.weight is None else norm.weight)
        shift = (0 if bias is None else bias) - norm.running_mean
        return weight * factor.reshape(-1, 1, 1, 1), shift * factor + (0 if norm.bias is None else norm.bias)

    def plain(self) -> nn.Conv2d | nn.Linear:
        """A single layer that computes the same without rounding."""
        with torch.no_grad():
            weight, bias = (None if tensor is None else nn.Parameter(tensor.clone()) for tensor in self.folded())
        assert weight is not None
        layer = _like(self.layer, bias is not None)
        layer.weight, layer.bias = weight, bias
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """The output of the folded layer."""
        weight, bias = self.folded()
        weight = fake_weight(weight) if self.active else weight
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, weight, bias)
        result: Tensor = self.layer._conv_forward(x, weight, bias)
        return result


def _like(layer: nn.Conv2d | nn.Linear, bias: bool) -> nn.Conv2d | nn.Linear:
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, layer.out_features, bias)
    return nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        layer.groups,
        bias,
        layer.padding_mode,
    )
