"""Rounding as int8 rounds, in floating point and with gradients: what a network is trained through for quantization.

Weights: symmetric, per output channel, largest magnitude / 127, the grid that every converter makes of them by itself. Activations:
256 levels per tensor between two learned ends, zero always one of the levels. Gradients go straight through the rounding, and into
the ends as in learned step sizes (LSQ: Esser et al. 2019, arXiv:1902.08153) and learned clipping (PACT: arXiv:1805.06085).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS, LARGEST = 255, 127
FOLLOW = 0.01
TINY = 1e-8  # of a range or a filter that is all zeros


def rounded(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def fake_weight(weight: Tensor) -> Tensor:
    """``weight`` (out, ...) on the int8 grid of each output channel."""
    scale = (weight.detach().abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / LARGEST).clamp_min(TINY)
    return rounded(weight / scale) * scale


class FakeQuant(nn.Module):
    """An activation on 256 levels between two ends, the same for all channels; ``active`` off lets it through as it is.

    The ends are ``range`` times exp(``stretch``), so that a training step moves them by a part of what they are. The lower one is 0
    after a ReLU and stays so. Those of an ``answer``, behind the last weights, are not learnt: they follow the lowest and the highest
    value, because only some formats round there, and a range that cuts would make the others differ.
    """

    range: Tensor
    active: bool

    def __init__(self, *, answer: bool = False) -> None:
        super().__init__()
        self.answer = answer
        self.register_buffer("range", torch.tensor([0.0, 1.0]))
        self.stretch = nn.Parameter(torch.zeros(2))
        self.active = True

    def set(self, low: float, high: float) -> None:
        """Put the ends where they are to start; zero is always between them."""
        self.range.copy_(torch.tensor([min(low, 0.0), max(high, 0.0)]))
        if float(self.range[1] - self.range[0]) < TINY:
            self.range[1] = TINY
        self.stretch.data.zero_()

    def fix(self) -> None:
        """Take what was learnt into ``range``."""
        with torch.no_grad():
            self.range.mul_(self.stretch.exp())
            self.stretch.zero_()

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest level as real numbers, from the very scale and zero-point that ``forward`` rounds with."""
        with torch.no_grad():
            low, high = self.range * self.stretch.exp()
            scale = (high - low) / LEVELS
            zero, step = float((-low / scale).round()), float(scale)
        return -zero * step, (LEVELS - zero) * step

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, in single precision whatever autocast says."""
        if not self.active:
            return x
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.answer and self.training:
                self._follow(x)
            low, high = self.range * _damped(self.stretch, x.numel()).exp()
            scale = (high - low) / LEVELS
            zero = (-low / scale).detach().round()
            inside = torch.maximum(torch.minimum(x, high), low)
            result: Tensor = rounded(inside / scale).clamp(-zero, LEVELS - zero) * scale
            return result

    def _follow(self, x: Tensor) -> None:
        """Out at once to what is seen, back by a hundredth."""
        with torch.no_grad():
            seen = torch.stack([x.min().clamp_max(0), x.max().clamp_min(0)])
            inner = self.range + FOLLOW * (seen - self.range)
            self.range.copy_(torch.stack([torch.minimum(inner[0], seen[0]), torch.maximum(inner[1], seen[1])]))


def _damped(parameter: Tensor, count: int) -> Tensor:
    """The same value with a gradient that does not grow with the number of activations: section 2.2 of LSQ."""
    factor = 1 / math.sqrt(count * LEVELS)
    return parameter * factor + (parameter * (1 - factor)).detach()


class Fused(nn.Module):
    """A convolution or dense layer with its batch-norm folded in, as it is when exported, and weights on the int8 grid.

    Mean and variance of the norm are frozen and its scale and shift are trained (Krishnamoorthi 2018, arXiv:1806.08342, section 3.2.2:
    frozen statistics are those that the file computes with). ``active`` off leaves the weights as they are.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | None) -> None:
        super().__init__()
        self.layer, self.norm, self.active = layer, norm, True

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias with the norm in them, not rounded."""
        weight, bias, norm = self.layer.weight, self.layer.bias, self.norm
        if norm is None:
            return weight, bias
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = torch.rsqrt(norm.running_var + norm.eps) * (1 if norm.weight is None else norm.weight)
        shift = (0 if bias is None else bias) - norm.running_mean
        return weight * factor.reshape(-1, 1, 1, 1), shift * factor + (0 if norm.bias is None else norm.bias)

    def plain(self) -> nn.Conv2d | nn.Linear:
        """One layer that computes the same without rounding."""
        with torch.no_grad():
            weight, bias = (None if tensor is None else nn.Parameter(tensor.clone()) for tensor in self.folded())
        assert weight is not None
        layer = _like(self.layer, bias is not None)
        layer.weight, layer.bias = weight, bias
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """What the layer and its norm give."""
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
