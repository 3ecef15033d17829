"""EdgeSeg: semantic segmentation by depthwise-separable convolutions, designed for int8."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.models.blocks import separable
from edgecnn.models.pyramid import Pyramid, check_size
from edgecnn.task_names import TaskName


class EdgeSeg(nn.Module):
    """A score of each class for each cell of 4 x 4 pixels.

    In: (B, channels, H, W) float32 RGB or gray divided by 255, H and W multiples of 32. Out: logits (B, classes, H / 4, W / 4);
    the decoder interpolates them to the size of the input. Raises ``ValueError`` for a size that is not a multiple of 32.
    """

    task: TaskName = "segment"
    stem_parts = ("body.stem",)
    backbone_parts = ("body.stem", "body.stages")

    def __init__(
        self,
        classes: int = 5,
        size: tuple[int, int] = (128, 160),
        widths: tuple[int, ...] = (16, 24, 40, 72, 104),
        depths: tuple[int, ...] = (2, 2, 3, 2),
        neck: int = 40,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.size = check_size(size)
        self.body = Pyramid(channels, tuple(widths), tuple(depths), neck)
        self.head = nn.Sequential(separable(neck, neck), nn.Conv2d(neck, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H / 4, W / 4)."""
        logits: Tensor = self.head(self.body(x))
        return logits
