"""EdgePose: key points of any number of objects, found by their centres; depthwise-separable convolutions, designed for int8."""

from __future__ import annotations

import math

from torch import Tensor, nn

from edgecnn.models.blocks import separable
from edgecnn.models.pyramid import Pyramid, check_size
from edgecnn.task_names import TaskName

PRIOR = 0.01  # initial score of every cell: focal loss, arXiv:1708.02002, section 4.1


class EdgePose(nn.Module):
    """Whether a cell of 4 x 4 pixels is the centre of an object, and where that object's key points are (arXiv:1904.07850).

    In: (B, channels, H, W) float32 RGB or gray divided by 255, H and W multiples of 32. Out: ``centres`` (B, 1, H / 4, W / 4), the score
    of a centre after the sigmoid, while training its logit, and ``offsets`` (B, 2 K, H / 4, W / 4): x and y of each of the K key points
    from the middle of the cell, as a share of ``reach`` (an option of the decoder) times the longer side of the input, clipped to
    -1..1, since a fixed range has the smallest rounding error in int8. Raises ``ValueError`` for a size that is not a multiple of 32.
    """

    task: TaskName = "pose"
    stem_parts = ("body.stem",)
    backbone_parts = ("body.stem", "body.stages")

    def __init__(
        self,
        classes: int = 4,
        size: tuple[int, int] = (128, 160),
        widths: tuple[int, ...] = (16, 24, 40, 72, 104),
        depths: tuple[int, ...] = (2, 2, 3, 2),
        neck: int = 40,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.size = check_size(size)
        self.body = Pyramid(channels, tuple(widths), tuple(depths), neck)
        self.centre = nn.Sequential(separable(neck, neck), nn.Conv2d(neck, 1, 1))
        self.offset = nn.Sequential(separable(neck, neck), separable(neck, neck), nn.Conv2d(neck, 2 * classes, 1))
        last = self.centre[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        # the inverse sigmoid of PRIOR, so that the loss of the many cells without an object does not dominate at first
        nn.init.constant_(last.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, or logits while training, (B, 1, h, w), and offsets (B, 2 K, h, w)."""
        found = self.body(x)
        centres, offsets = self.centre(found), self.offset(found)
        # while training, clipping would stop the gradient
        return (centres, offsets) if self.training else (centres.sigmoid(), offsets.clamp(-1.0, 1.0))
