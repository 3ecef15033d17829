"""Gradients of depthwise convolutions on a CPU are those of PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.train import depthwise
from edgecnn.train.depthwise import QuickDepthwise
from edgecnn.train.hardware import Hardware


def gradients(layer: nn.Module, images: Tensor, *, quick: bool) -> list[Tensor]:
    """Output, gradient of the input and gradients of the parameters."""
    images = images.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    layer.zero_grad()
    if quick:
        with QuickDepthwise():
            found = layer(images)
    else:
        found = layer(images)
    (found * torch.linspace(-1, 1, found.numel()).reshape(found.shape)).sum().backward()
    assert images.grad is not None
    return [found.detach(), images.grad, *(parameter.grad for parameter in layer.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "bias"),
    [
        (3, 1, 1, False),
        (3, 2, 1, False),
        (3, 2, 1, True),
        (5, 2, 2, False),
        (5, 3, 0, True),
        ((3, 5), (2, 1), (1, 2), False),
        (7, 4, 6, False),
    ],
)
@pytest.mark.parametrize("size", [(12, 16), (13, 17), (9, 10)])
def test_gradients_equal_those_of_pytorch(
    layout: torch.memory_format, kernel: Any, stride: Any, padding: Any, bias: bool, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, kernel, stride, padding, groups=8, bias=bias).double()
    images = torch.randn(3, 8, *size, dtype=torch.float64).to(memory_format=layout)
    for own, expected in zip(gradients(layer, images, quick=True), gradients(layer, images, quick=False), strict=True):
        torch.testing.assert_close(own, expected)


def test_only_depthwise_convolutions_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def convolve(images: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any) -> Tensor:
        calls.append(tuple(weight.shape))
        return F.conv2d(images, weight, bias, stride, padding, 1, weight.shape[0])

    monkeypatch.setattr(depthwise, "_convolve", convolve)
    layers = nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(16, 16, 3, groups=4),
        nn.Conv2d(16, 16, 3, groups=16, dilation=2), nn.Conv2d(16, 16, 3, groups=16, padding="same"), nn.Conv2d(16, 1, 1),
    )  # fmt: skip
    with QuickDepthwise():
        layers(torch.zeros(1, 4, 32, 32))
    assert calls == [(8, 1, 3, 3)]


def test_a_training_step_in_bfloat16_gets_gradients_in_float32() -> None:
    layer = nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False)
    with Hardware("cpu", bf16=True).autocast():
        found = layer(torch.randn(2, 8, 16, 16))
    assert type(found.grad_fn).__name__ == "_DepthwiseBackward"
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32
    assert layer.weight.grad.abs().sum() > 0


def test_an_evaluation_without_gradients_is_left_alone() -> None:
    layer = nn.Conv2d(8, 8, 3, groups=8)
    with torch.no_grad(), QuickDepthwise():
        assert layer(torch.zeros(1, 8, 8, 8)).grad_fn is None
