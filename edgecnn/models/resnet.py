"""A small residual network for small images: 32x32 or so, a quarter of a million parameters."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.card import Task
from edgecnn.models.blocks import Residual, conv_bn_relu


class ResNetS(nn.Module):
    """A stem and three stages of residual blocks, the ResNet-20 layout of arXiv:1512.03385 with a light first stage.

    (B, channels, H, W) in, logits (B, classes) out; any size works, ``size`` is the one it was trained for.
    """

    task: Task = "classify"

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        size: tuple[int, int] = (28, 28),
        widths: tuple[int, ...] = (16, 32, 80),
        depth: int = 2,
    ) -> None:
        super().__init__()
        self.size = (size[0], size[1])
        self.stem = conv_bn_relu(channels, widths[0])
        blocks: list[nn.Module] = []
        last = widths[0]
        for stage, width in enumerate(widths):
            for index in range(depth):
                blocks.append(Residual(last, width, 2 if stage and not index else 1))
                last = width
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out
