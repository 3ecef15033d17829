"""EdgeDet: an anchor-free, single-stage detector of depthwise-separable convolutions, designed for int8."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.models.blocks import conv_bn_relu, separable, separable_stages
from edgecnn.task_names import TaskName

STRIDES = (8, 16, 32)
PRIOR = 0.01  # initial score of every cell: focal loss, arXiv:1708.02002, section 4.1


class Backbone(nn.Module):
    """MobileNet-like feature maps at strides 8, 16 and 32."""

    def __init__(self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem, self.stages = separable_stages(channels, widths, depths)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, channels, H, W) to three feature maps, finest first."""
        maps = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[-3:]  # the strides 8, 16 and 32


class Neck(nn.Module):
    """Top-down and bottom-up fusion of the levels: FPN, arXiv:1612.03144, and PANet, arXiv:1803.01534, with sums."""

    def __init__(self, inputs: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn_relu(channels, width, 1) for channels in inputs)
        self.down = nn.ModuleList(separable(width, width) for _ in inputs[1:])
        self.stride = nn.ModuleList(separable(width, width, 2) for _ in inputs[1:])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps of the backbone to fused maps of equal width, finest first."""
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.lateral, maps, strict=True))
        middle = self.down[1](middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.down[0](fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        middle = middle + self.stride[0](fine)
        coarse = coarse + self.stride[1](middle)
        return [fine, middle, coarse]


class DetectionHead(nn.Module):
    """Scores and boxes of one level in two branches (decoupled head: YOLOX, arXiv:2107.08430), not shared between levels.

    Activations of each level have their own range; with shared weights all would be quantized by one.
    """

    def __init__(self, width: int, classes: int, depth: int) -> None:
        super().__init__()
        self.score = nn.Sequential(*(separable(width, width) for _ in range(depth)), nn.Conv2d(width, classes, 1))
        self.box = nn.Sequential(*(separable(width, width) for _ in range(depth)), nn.Conv2d(width, 4, 1))
        self._init_weights()

    def _init_weights(self) -> None:
        score, box = self.score[-1], self.box[-1]
        assert isinstance(score, nn.Conv2d)
        assert isinstance(box, nn.Conv2d)
        # the inverse sigmoid of PRIOR, so that the loss of the many background cells does not dominate at first; boxes of 4 strides
        for layer, bias in ((score, -math.log((1 - PRIOR) / PRIOR)), (box, 2.0)):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, h*w, classes) and distances (B, h*w, 4) of the cells of one feature map, row by row."""
        return self.score(x).permute(0, 2, 3, 1).flatten(1, 2), self.box(x).permute(0, 2, 3, 1).flatten(1, 2)


class EdgeDet(nn.Module):
    """Boxes and scores for each cell at strides 8, 16 and 32.

    In: (B, channels, H, W) float32 RGB or gray divided by 255, H and W multiples of 32. Out, in eval mode: ``boxes`` (B, N, 4),
    distances from the cell's centre to left, top, right, bottom in units of its stride (FCOS, arXiv:1904.01355), and ``scores``
    (B, N, classes) after the sigmoid; in train mode logits instead of scores. Distances are clipped to 0..``reach``, since a fixed
    range has the smallest rounding error in int8. Raises ``ValueError`` for a size that is not a multiple of 32.
    """

    task: TaskName = "detect"
    stem_parts = ("backbone.stem",)
    backbone_parts = ("backbone",)

    def __init__(
        self,
        classes: int = 4,
        size: tuple[int, int] = (256, 320),
        widths: tuple[int, ...] = (16, 32, 96, 192, 448),
        depths: tuple[int, ...] = (2, 3, 4, 3),
        neck: int = 96,
        head_depth: int = 2,
        reach: float = 8.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if size[0] % STRIDES[-1] or size[1] % STRIDES[-1]:
            raise ValueError(f"size must be multiples of {STRIDES[-1]}, not {size}")
        self.size, self.reach = (size[0], size[1]), reach
        self.backbone = Backbone(channels, tuple(widths), tuple(depths))
        self.neck = Neck(tuple(widths[-3:]), neck)
        self.heads = nn.ModuleList(DetectionHead(neck, classes, head_depth) for _ in STRIDES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (B, N, 4) and scores, or logits while training, (B, N, classes)."""
        # separate heads, concatenated at the end: every level keeps its own quantization ranges
        levels = [head(level) for head, level in zip(self.heads, self.neck(self.backbone(x)), strict=True)]
        logits = torch.cat([level[0] for level in levels], 1)
        boxes = torch.cat([level[1] for level in levels], 1).clamp(0.0, self.reach)
        return boxes, logits if self.training else logits.sigmoid()
