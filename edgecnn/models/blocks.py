"""Building blocks that every engine runs well in int8: convolution, batch-norm that folds into it, ReLU."""

from __future__ import annotations

from torch import Tensor, nn


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


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ResNet, arXiv:1512.03385. The shortcut is 1x1 where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_bn_relu(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out: Tensor = self.relu(self.second(self.first(x)) + self.shortcut(x))
        return out
