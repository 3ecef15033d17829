"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), adapted to small inputs."""

from __future__ import annotations

from math import ceil

from torch import Tensor, nn

from edgecnn.models.blocks import InvertedResidual, conv_bn_relu, scale_channels
from edgecnn.models.heads import HeadKind, task_for

STEM, LAST = 32, 1280
# expansion, channels, blocks, and whether the first block may halve the size: table 2 of the paper
STAGES = (
    (1, 16, 1, False),
    (6, 24, 2, True),
    (6, 32, 3, True),
    (6, 64, 4, True),
    (6, 96, 3, False),
    (6, 160, 3, True),
    (6, 320, 1, False),
)
CELLS = 4  # smallest side of the last feature map


class MobileNet(nn.Module):
    """Inverted residuals; ``width`` multiplies all channels, the last ones too.

    (B, channels, H, W) in, logits (B, classes) out. ReLU instead of the paper's ReLU6: quantization clips activations anyway, and a
    plain ReLU is fused into the zero point by every engine. The network halves a large input five times; for a small one the first
    halvings are left out, so that the last feature map has at least ``CELLS`` cells a side (28 and 32 pixels: three halvings).
    """

    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        classes: int = 10,
        channels: int = 3,
        size: tuple[int, int] = (96, 96),
        width: float = 0.5,
        head: HeadKind = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        places = 1 + sum(halves for *_, halves in STAGES)  # the stem can halve, too
        skipped = places - halvings(min(size), places)
        last = scale_channels(STEM, width)
        self.stem = conv_bn_relu(channels, last, 3, 1 if skipped else 2)
        seen, blocks = 1, []
        for expansion, outputs, count, halves in STAGES:
            for index in range(count):
                stride = 2 if halves and not index and seen >= skipped else 1
                blocks.append(InvertedResidual(last, scale_channels(outputs, width), stride, expansion))
                last = scale_channels(outputs, width)
            seen += halves
        self.stages = nn.Sequential(*blocks, conv_bn_relu(last, scale_channels(LAST, width), 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(scale_channels(LAST, width), classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out


def halvings(side: int, most: int) -> int:
    """The number of times that ``side`` pixels can be halved, rounding up, to at least ``CELLS``; at most ``most``."""
    return max(count for count in range(most + 1) if count == 0 or ceil(side / 2**count) >= CELLS)
