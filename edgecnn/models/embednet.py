"""A small network that turns an image into a vector: similar images into similar directions."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from edgecnn.models.blocks import conv_bn_relu, separable


class EmbedNet(nn.Module):
    """Separable convolutions (MobileNet, arXiv:1704.04861), global average, and a linear layer.

    (B, channels, H, W) in, vectors (B, dim) out, which the decoder normalises to length 1: division by a length is imprecise in int8,
    and costs nothing afterwards. Each width but the first halves the image.
    """

    task = "embed"
    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        channels: int = 3,
        size: tuple[int, int] = (64, 64),
        widths: tuple[int, ...] = (16, 32, 64, 128),
        depth: int = 2,
        dim: int = 64,
    ) -> None:
        super().__init__()
        self.size = (size[0], size[1])
        self.stem = conv_bn_relu(channels, widths[0], 3, 2)
        blocks: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            blocks += [separable(inputs, outputs, 2), *(separable(outputs, outputs) for _ in range(depth - 1))]
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], dim))

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (B, dim) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out
