"""Quick gradients of depthwise convolutions on a CPU, where PyTorch's own take more time than the rest of a small network.

The gradient of the input is a convolution of the gradient of the output with the flipped kernel, which runs in the quick kernel of the
forward pass. Strides are undone first, by zeros between the values: oneDNN has no quick kernel for the gradients of strided ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class QuickDepthwise(TorchFunctionMode):
    """A block in which depthwise ``conv2d`` calls on a CPU get these gradients; all other calls are left as they are."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """The result of ``function``; PyTorch calls this for each of its functions."""
        if function is F.conv2d and torch.is_grad_enabled():
            call = _depthwise_call(*args, **(kwargs or {}))
            if call is not None:
                return _convolve(*call)
        return function(*args, **(kwargs or {}))


def _depthwise_call(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor | None, tuple[int, int], tuple[int, int]] | None:
    """The arguments of a depthwise convolution of (B, C, H, W) with kernels (C, 1, h, w) on a CPU, else None."""
    channels = weight.shape[0]
    if images.ndim != 4 or images.device.type != "cpu" or isinstance(padding, str) or _pair(dilation) != (1, 1):
        return None
    if groups == 1 or groups != channels or images.shape[1] != channels:
        return None
    pads = _pair(padding)
    if any(pad >= length for pad, length in zip(pads, weight.shape[2:], strict=True)):
        return None
    return images, weight, bias, _pair(stride), pads


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _convolve(images: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        images, weight = images.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    found: Tensor = _Depthwise.apply(images, weight, stride, padding)  # type: ignore[no-untyped-call]
    return found if bias is None else found + bias[:, None, None]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, None, stride, padding, 1, weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, weight = ctx.saved_tensors
        height, width = weight.shape[2:]
        down, right = ctx.padding
        spread = _spread(
            gradient, images, ctx.stride, (images.shape[2] + 2 * down - height + 1, images.shape[3] + 2 * right - width + 1)
        )
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            around = (height - 1 - down, width - 1 - right)
            of_images = F.conv2d(spread, weight.flip(2, 3), None, 1, around, 1, weight.shape[0])
        if ctx.needs_input_grad[1]:
            options = ([1, 1], [down, right], [1, 1], False, [0, 0], weight.shape[0], [False, True, False])
            of_weight = torch.ops.aten.convolution_backward(spread, images, weight, None, *options)[1]
        return of_images, of_weight, None, None


def _spread(gradient: Tensor, images: Tensor, stride: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) with zeros between its values, where ``stride`` left out those of a map of ``size``."""
    if stride == (1, 1):
        return gradient
    layout = torch.channels_last if images.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    found = torch.empty((*gradient.shape[:2], *size), dtype=gradient.dtype, memory_format=layout).zero_()
    found[:, :, :: stride[0], :: stride[1]] = gradient
    return found
