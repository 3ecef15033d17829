"""Building blocks that every engine runs efficiently in int8: convolution with foldable batch-norm, ReLU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with "same" padding, batch-norm and ReLU."""
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


def separable_stages(channels: int, widths: tuple[int, ...], depths: tuple[int, ...]) -> tuple[nn.Sequential, nn.ModuleList]:
    """A stem to ``widths[0]`` channels and a stage for each of the other widths, each of which halves the size.

    ``depths`` are the numbers of separable convolutions of the stages.
    """
    last, *others = widths
    stem, stages = conv_bn_relu(channels, last, 3, 2), nn.ModuleList()
    for width, depth in zip(others, depths, strict=True):
        stages.append(nn.Sequential(separable(last, width, 2), *(separable(width, width) for _ in range(depth - 1))))
        last = width
    return stem, stages


def scale_channels(channels: int, width: float) -> int:
    """``channels`` times ``width``, rounded to a multiple of 8, at least 8; raises ``ValueError`` for a width that is not above 0."""
    if not width > 0:
        raise ValueError(f"width must be above 0, not {width}")
    return max(int(channels * width + 4) // 8 * 8, 8)  # engines compute 8 or more channels at once


class Subsample(nn.Module):
    """The shortcut without parameters, "option A" of arXiv:1512.03385: every ``stride``-th pixel, additional channels are zero.

    Half of the zero channels precede the others, half follow.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        before = (outputs - inputs) // 2
        # F.pad lists the last axis first: width, height, then channels
        self.pad = (0, 0, 0, 0, before, outputs - inputs - before)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.pad)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ResNet, arXiv:1512.03385.

    Where the shape changes the shortcut is a 1x1 convolution, or ``Subsample`` where ``parameter_free`` is set.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, parameter_free: bool = False) -> None:
        super().__init__()
        self.first = conv_bn_relu(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module
        if inputs == outputs and stride == 1:
            self.shortcut = nn.Identity()
        elif parameter_free:
            self.shortcut = Subsample(inputs, outputs, stride)
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out: Tensor = self.relu(self.second(self.first(x)) + self.shortcut(x))
        return out


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, linear projection: MobileNetV2, arXiv:1801.04381; a shortcut where the shape stays the same."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.has_shortcut = stride == 1 and inputs == outputs
        expand = [conv_bn_relu(inputs, inner, 1)] if expansion != 1 else []
        project = (nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.layers = nn.Sequential(*expand, conv_bn_relu(inner, inner, 3, stride, groups=inner), *project)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out: Tensor = self.layers(x)
        return x + out if self.has_shortcut else out
