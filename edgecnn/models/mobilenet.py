"""MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, for inputs of any size, also small ones."""

from __future__ import annotations

from math import ceil

from torch import Tensor, nn

from edgecnn.models.blocks import InvertedResidual, conv_bn_relu, scaled
from edgecnn.models.heads import Head, task_for

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
CELLS = 4


class MobileNet(nn.Module):
    """Inverted residuals; ``width`` multiplies all channels, the last ones too.

    (B, channels, H, W) in, logits (B, classes) out. ReLU instead of the paper's ReLU6: quantization ends the range of an activation
    by itself, and a plain ReLU vanishes in the zero point of every engine. The network halves a large input five times; of a small
    one the first halvings are left out, so that ``CELLS`` cells a side or more remain (28 and 32 pixels: three halvings).
    """

    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        classes: int = 10,
        channels: int = 3,
        size: tuple[int, int] = (96, 96),
        width: float = 0.5,
        head: Head = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        places = 1 + sum(halves for *_, halves in STAGES)
        skipped = places - halvings(min(size), places)
        last = scaled(STEM, width)
        self.stem = conv_bn_relu(channels, last, 3, 1 if skipped else 2)
        seen, blocks = 1, []
        for expansion, outputs, count, halves in STAGES:
            for index in range(count):
                stride = 2 if halves and not index and seen >= skipped else 1
                blocks.append(InvertedResidual(last, scaled(outputs, width), stride, expansion))
                last = scaled(outputs, width)
            seen += halves
        self.stages = nn.Sequential(*blocks, conv_bn_relu(last, scaled(LAST, width), 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(scaled(LAST, width), classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out


def halvings(side: int, most: int) -> int:
    """How often ``side`` pixels can be halved, rounding up, with ``CELLS`` or more left; ``most`` at most."""
    return max(count for count in range(most + 1) if count == 0 or ceil(side / 2**count) >= CELLS)
