"""Building blocks that every engine runs well in int8: convolution, batch-norm that folds into it, ReLU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (divided by ``stride``), then batch-norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution, each with batch-norm and ReLU: MobileNet, arXiv:1704.04861."""
    return nn.Sequential(
        conv_bn_relu(inputs, inputs, 3, stride, groups=inputs),
        conv_bn_relu(inputs, outputs, 1),
    )


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, as the nearest multiple of 8, at least 8; raises ``ValueError`` for a width that is not above 0."""
    if not width > 0:
        raise ValueError(f"wanted a width above 0, found {width}")
    return max(int(channels * width + 4) // 8 * 8, 8)


class Subsample(nn.Module):
    """The shortcut without parameters, "option A" of arXiv:1512.03385: every ``stride``-th pixel, new channels are zero.

    The zeros are put in equal numbers before and after the old channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        before = (outputs - inputs) // 2
        self.pad = (0, 0, 0, 0, before, outputs - inputs - before)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.pad)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ResNet, arXiv:1512.03385.

    Where the shape changes the shortcut is 1x1, or without parameters (``Subsample``) where ``free`` is set.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, free: bool = False) -> None:
        super().__init__()
        self.first = conv_bn_relu(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module
        if inputs == outputs and stride == 1:
            self.shortcut = nn.Identity()
        elif free:
            self.shortcut = Subsample(inputs, outputs, stride)
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out: Tensor = self.relu(self.second(self.first(x)) + self.shortcut(x))
        return out


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow without an activation: MobileNetV2, arXiv:1801.04381; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.same = stride == 1 and inputs == outputs
        widen = [conv_bn_relu(inputs, inner, 1)] if expansion != 1 else []
        narrow = (nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.layers = nn.Sequential(*widen, conv_bn_relu(inner, inner, 3, stride, groups=inner), *narrow)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out: Tensor = self.layers(x)
        return x + out if self.same else out
